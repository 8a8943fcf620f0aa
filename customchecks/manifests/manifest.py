"""What an archive asks to be installed with it: found, checked, and told in the words of one installer.

Nothing is resolved or executed here. A refusal is final for these files, so it can be told before anything runs.
"""

import codecs
import hashlib
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from customchecks.archives.script_archive import Archive

GENERATED = ".requirements.txt"  # uv takes a file by its ending for what it is
MAX_BYTES = 5 * 1024 * 1024
MAX_NAME = 1000  # characters of one name, range or path
# The longer ones first: UTF-32's begins as UTF-16's does
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class ManifestRefused(Exception):
    """What an archive asks for is not installed; the message is safe to show."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What is to be installed.

    ``files`` are all that the installer gets, unless ``local``: then it refers to more and gets the whole archive.

    ``main`` is the one that it is told of, in the folder that it works in. ``installer`` is "requirements", "pylock",
    "uv", "uv-script", "npm-ci" or "npm-install".
    """

    installer: str
    main: str
    files: Mapping[str, bytes] = field(repr=False)
    local: bool = False

    @property
    def named(self) -> str:
        """As its author calls it."""
        return self.main.removesuffix(GENERATED)

    @property
    def folder(self) -> str:
        return posixpath.dirname(self.main)

    def digest(self) -> str:
        """Of the files' names and content."""
        lines = (f"{hashlib.sha256(content).hexdigest()} {name}\n" for name, content in sorted(self.files.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def read(archive: Archive, path: str) -> str:
    """Bounded, and in any of the encodings that begin with a mark, as Windows writes them. Raises ManifestRefused."""
    if not archive.has(path):
        raise ManifestRefused(f"{shown(path)} is not in the archive.")
    content = archive.read(path)
    if len(content) > MAX_BYTES:
        raise ManifestRefused(f"{shown(path)} is larger than {MAX_BYTES // 1024 // 1024} MB.")
    encoding = next((encoding for mark, encoding in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise ManifestRefused(f"{shown(path)} is not UTF-8 text. Save it as UTF-8.") from None


def collected(archive: Archive, paths: Iterable[str]) -> dict[str, bytes]:
    return {path: archive.read(path) for path in paths if archive.has(path)}


def is_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def table(value: object) -> Mapping[str, Any]:
    """Empty where something else stands in its place."""
    return value if isinstance(value, dict) else {}


def tables(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def shown(text: str) -> str:
    """For messages: short, printable, and without what stands before an @."""
    scheme, separator, rest = text.partition("://")
    if separator and "@" in rest:
        text = f"{scheme}://***@{rest.rpartition('@')[2]}"
    return f"{text!r:.120}"
