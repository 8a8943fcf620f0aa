"""What an archive asks to be installed with it: found, checked, and told in the words of one installer.

Nothing is resolved or executed here. A refusal is final for these files, so it can be told before anything runs.
"""

import codecs
import hashlib
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from customchecks.archives.script_archive import Archive
from polling.http import addresses

GENERATED = ".requirements.txt"  # uv takes a file by its ending for what it is
MAX_BYTES = 5 * 1024 * 1024
MAX_NAME = 1000  # characters of one name, range or path
VERSION_CONTROL = ("git+", "hg+", "svn+", "bzr+", "git:", "git@", "ssh:")
_WEB = re.compile(r"https?:", re.IGNORECASE)
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


def inside(folder: str, path: str) -> str:
    """``path`` as seen from ``folder``, from the top of the archive. Raises ManifestRefused where that is outside."""
    if "%" in path or not path.isprintable():
        raise ManifestRefused(f"{shown(path)} has characters that a path must not have here. Rename the file.")
    joined = posixpath.normpath(posixpath.join(folder, path))
    if path.startswith(("/", "~", "\\")) or joined.startswith("../") or joined == "..":
        raise ManifestRefused(f"{shown(path)} is outside the archive. Put the file into it and name it from there.")
    return joined


def joined(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path))


def below(folder: str, path: str) -> str:
    """``path`` as it is called from ``folder``; empty where it is not in it."""
    return path if not folder else path.removeprefix(f"{folder}/") if path.startswith(f"{folder}/") else ""


def folders(entrypoint: str) -> list[str]:
    """Where a manifest of an entry point may be: beside it first, the top of the archive last."""
    parts = entrypoint.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(len(parts), -1, -1)]


def is_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def table(value: object) -> Mapping[str, Any]:
    """Empty where something else stands in its place."""
    return value if isinstance(value, dict) else {}


def tables(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def is_url(text: str) -> bool:
    """Also what only an installer takes for one, such as ``https:/example.com/x``."""
    return "://" in text or bool(_WEB.match(text))


def check_url(url: str) -> None:
    """What cannot be fetched by everybody is refused; the sandbox's network refuses what only a lookup can tell."""
    try:
        target = addresses.parse_url(url)
    except addresses.UrlRefused as error:
        raise ManifestRefused(f"{shown(url)}: {error}") from None
    if target.scheme != "https":
        raise ManifestRefused(f"{shown(url)}: the URL must start with https://.")
    local = target.host == "localhost" or target.host.endswith(".localhost")
    if local or (target.address and addresses.kind_of(target.address) is not addresses.Kind.PUBLIC):
        raise ManifestRefused(f"{shown(url)}: the address is not a public one.")


def refuse_version_control(text: str) -> None:
    if text.lower().startswith(VERSION_CONTROL):
        raise version_control(text)


def version_control(text: str) -> ManifestRefused:
    return ManifestRefused(
        f"{shown(text)} comes from version control, which is not fetched. Name a released version, or put the"
        " package into the archive."
    )


def shown(text: str) -> str:
    """For messages: short, printable, and without what stands before an @."""
    scheme, separator, rest = text.partition("://")
    if separator and "@" in rest:
        text = f"{scheme}://***@{rest.rpartition('@')[2]}"
    return f"{text!r:.120}"
