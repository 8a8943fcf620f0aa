"""Documents that people write and keep: YAML, read with nothing in it that makes a small file large or runs anything.

Only what JSON knows is read: no aliases, tags, merge keys or dates, and ``no`` and ``on`` are words. What a plain word
means here is a part of what the writer takes for a number or the like, so that what is written is read the same.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

MOST_BYTES = 1024 * 1024
MOST_EVENTS = 200_000
DEEPEST = 40
LONGEST_NUMBER = 40

_NULL = re.compile(r"~|null|")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?[0-9]+\.[0-9]*(?:[eE][-+][0-9]+)?")
_BREAKS = re.compile("[\x85\u2028\u2029]")
# The parser compares each with all before it, and nobody else gets a turn meanwhile
_TAG_DIRECTIVE = re.compile("(?:\\A\ufeff?|[\r\n\x85\u2028\u2029])%TAG")
_WORDS = {"true": True, "false": False}
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class NotUsable(ValueError):
    """The message is a part of a sentence that is safe to show."""


def written(value: Any, *, ascii_only: bool = False) -> str:
    """``ascii_only`` for a terminal, which other characters could drive."""
    return yaml.dump(
        value, Dumper=_Writer, sort_keys=False, allow_unicode=not ascii_only, width=120, default_flow_style=False
    )


def read(content: bytes) -> Any:
    """Raises NotUsable."""
    if len(content) > MOST_BYTES:
        raise NotUsable("it is longer than 1 MB")
    try:
        return _Reader(yaml.parse(_without_directives(content.decode()), Loader=_Loader)).document()
    except UnicodeDecodeError:
        raise NotUsable("it is not UTF-8") from None
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise NotUsable(f"{error.problem or error.context}{line}") from None
    except yaml.YAMLError:
        raise NotUsable("it has characters that no text has") from None


def _without_directives(text: str) -> str:
    if _TAG_DIRECTIVE.search(text):
        raise NotUsable("a line begins with %TAG: leave it out")
    return text


class _Writer(yaml.SafeDumper):
    """Writes YAML's own line breaks, of which a reader makes spaces, as escapes."""

    def represent_str(self, value: str) -> yaml.ScalarNode:
        style = '"' if _BREAKS.search(value) else None
        return self.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Writer.add_representer(str, _Writer.represent_str)


class _Reader:
    """Builds the value from the parser's events, so that only what is listed here can come of them."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._count = 0

    def document(self) -> Any:
        self._expect(yaml.StreamStartEvent)
        self._expect(yaml.DocumentStartEvent)
        value = self._value(self._next(), depth=1)
        self._expect(yaml.DocumentEndEvent)
        self._expect(yaml.StreamEndEvent)
        return value

    def _value(self, event: Any, *, depth: int) -> Any:
        if depth > DEEPEST:
            raise NotUsable(f"it is nested deeper than {DEEPEST} levels")
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0]
            return _scalar(event.value) if plain else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return list(self._items(yaml.SequenceEndEvent, depth))
        return self._mapping(depth)

    def _mapping(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        keys_and_values = self._items(yaml.MappingEndEvent, depth)
        for key in keys_and_values:
            if not isinstance(key, str):
                raise NotUsable(f"a key is no text: {key!r:.80}; put it in quotes")
            if key in found:
                raise NotUsable(f"{key!r:.80} is there twice")
            found[key] = next(keys_and_values)
        return found

    def _items(self, end: type[Any], depth: int) -> Iterator[Any]:
        while not isinstance(event := self._next(), end):
            yield self._value(event, depth=depth + 1)

    def _expect(self, kind: type[Any]) -> None:
        if not isinstance(self._next(), kind):
            raise NotUsable("it is not one document")

    def _next(self) -> Any:
        event = next(self._events)
        self._count += 1
        if self._count > MOST_EVENTS:
            raise NotUsable("it has too many entries")
        if getattr(event, "anchor", None) is not None:
            raise NotUsable(f"it has anchors or aliases, in line {event.start_mark.line + 1}: write the value out")
        if getattr(event, "tag", None) is not None:
            raise NotUsable(f"it has a tag, in line {event.start_mark.line + 1}: leave it out")
        return event


def _scalar(text: str) -> Any:
    if _NULL.fullmatch(text):
        return None
    if text in _WORDS:
        return _WORDS[text]
    if len(text) <= LONGEST_NUMBER and _INT.fullmatch(text):
        return int(text)
    return float(text) if len(text) <= LONGEST_NUMBER and _FLOAT.fullmatch(text) else text
