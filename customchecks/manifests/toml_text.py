"""TOML of strangers: bounded first, so that the parser's work grows with the text and not with its square."""

import re
import tomllib
from typing import Any

from customchecks.archives.script_archive import Archive
from customchecks.manifests.manifest import ManifestRefused, read

MAX_CHARACTERS = 2 * 1024 * 1024  # the parser is Python's own, and takes about half a second for as much
MAX_KEY_PARTS = 16  # the parser walks from the top for each of them
MAX_NESTING = 64
MAX_PIECES = 100_000  # of keys, and tables and lists: each takes a kilobyte, and no lock has half as many

# Possessive, and a quotation mark without an end is an error at once: nothing is read twice
_TOKEN = re.compile(
    "|".join(
        (
            r'"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}+',
            r"'''(?:[^']|'(?!''))*+'{3,5}+",
            r'"""',
            r"'''",
            r'"(?:[^"\\\n]|\\[^\n])*+"',
            r"'[^'\n]*+'",
            r"#[^\n]*+",
            r"[^\"'#.=,\[\]{}\n]++",
            r".",
        )
    ),
    re.DOTALL,
)
_QUOTES = frozenset({'"', "'", '"""', "'''"})


def load(archive: Archive, path: str) -> dict[str, Any]:
    """Raises ManifestRefused."""
    return loads(read(archive, path), path)


def loads(text: str, path: str) -> dict[str, Any]:
    """``path`` is for messages. Raises ManifestRefused."""
    _check_bounds(text, path)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise _refused(path, f"it is nested deeper than {MAX_NESTING} levels") from None
    except ValueError as error:  # also of a number that is too long for Python
        raise _refused(path, str(error)) from None


def _check_bounds(text: str, path: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise ManifestRefused(f"{path} is longer than {MAX_CHARACTERS // 1024 // 1024} million characters.")
    parts = depth = pieces = 0
    for found in _TOKEN.finditer(text):
        word = found[0]
        if word in _QUOTES:
            raise _refused(path, "a quotation mark has no end")
        if word == ".":
            parts += 1
        elif word in "[{":
            parts, depth = 0, depth + 1
        elif word in "]}":
            parts, depth = 0, depth - 1
        elif word in "=,\n":
            parts = 0
        if parts >= MAX_KEY_PARTS or depth > MAX_NESTING:
            raise _refused(path, f"a key has more than {MAX_KEY_PARTS} parts, or something is nested too deep")
        pieces += word in ".=[{"
        if pieces > MAX_PIECES:
            raise _refused(path, f"it has more than {MAX_PIECES:,} keys, tables and lists")


def _refused(path: str, problem: str) -> ManifestRefused:
    return ManifestRefused(f"{path} is not valid TOML: {problem}."[:300])
