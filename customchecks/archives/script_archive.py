"""Turns an untrusted script archive into a safe one: checked member by member, then built anew.

Nothing is unpacked to disk. The result holds files and directories only, in sorted order, with plain modes, owner
1000 and no times, so the same files always give the same bytes.
"""

import gzip
import hashlib
import io
import tarfile
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

from customchecks.archives import tar_stream
from customchecks.archives.tar_stream import ArchiveRejected, TooLarge, shown

__all__ = ["Archive", "ArchiveFile", "ArchiveRejected", "TooLarge", "from_directory", "from_files", "normalise"]

MAX_NAME_BYTES = 200
MAX_RAW_NAME = 5 * MAX_NAME_BYTES  # another Unicode form, and ./ before it; normalising longer ones takes its time
MAX_DEPTH = 16
SKIPPED_DIRECTORIES = frozenset({".git", "__pycache__", "node_modules", ".venv"})
UNPACKED_AT = "/work"  # in a container

_OWNER = 1000
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


class ArchiveFile(NamedTuple):
    """In JSON a pair, which ``Archive.stored`` takes again."""

    path: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A script with its files.

    ``content`` is a gzip'd tar; ``sha256`` and ``size`` are of ``content``. ``files`` are sorted by path.

    ``judgements`` are what others have found in it once, so that nobody reads it again.
    """

    content: bytes = field(repr=False)
    sha256: str
    size: int
    files: tuple[ArchiveFile, ...]
    judgements: dict[object, object] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def stored(cls, *, content: bytes, sha256: str, files: Iterable[tuple[str, int]]) -> Self:
        """What ``normalise`` once made; nothing is checked again."""
        known = tuple(ArchiveFile(*file) for file in files)
        return cls(content=content, sha256=sha256, size=len(content), files=known)

    def has(self, path: str) -> bool:
        return any(file.path == path for file in self.files)

    def has_folder(self, path: str) -> bool:
        """Whether there is a file in it."""
        return any(file.path.startswith(f"{path}/") for file in self.files)

    def read(self, path: str) -> bytes:
        """At most 10 MB. Raises KeyError where there is no such file."""
        if not self.has(path):
            raise KeyError(path)
        with tarfile.open(fileobj=io.BytesIO(self.content), mode="r:gz") as tar:
            file = tar.extractfile(path)
            return file.read() if file else b""


def normalise(stream: BinaryIO, *, size_hint: int | None = None, strip_top: bool = True) -> Archive:
    """Raises ArchiveRejected, TooLarge above 10 MB compressed; ``size_hint`` is the announced length, if any.

    With ``strip_top`` one directory that holds everything is taken away: ``checker/main.py`` becomes ``main.py``.
    """
    if size_hint is not None and size_hint > tar_stream.MAX_COMPRESSED:
        raise TooLarge
    builder = _Builder()
    for member in tar_stream.members(stream):
        if member.is_dir:
            builder.add_directory(member.name)
        else:
            builder.add_file(member.name, size=member.size, chunks=member.chunks)
    return builder.build(strip_top=strip_top)


def from_directory(path: Path) -> Archive:
    """What an upload of the directory's content would store, by the same rules; caches and ``.git`` stay out."""
    builder = _Builder()
    for entry in _walk(path):
        name = entry.relative_to(path).as_posix()
        if entry.is_symlink():
            raise tar_stream.link(name)
        if entry.is_dir():
            builder.add_directory(name)
        elif entry.is_file():
            with entry.open("rb") as file:
                content = file.read(tar_stream.MAX_FILE + 1)
            builder.add_file(name, size=len(content), chunks=[content])
        else:
            raise tar_stream.special(name)
    return _bounded(builder.build(strip_top=False))


def from_files(files: Iterable[tuple[str, bytes]]) -> Archive:
    """What an upload of these paths and contents would store, by the same rules; no top folder is stripped."""
    builder = _Builder()
    for name, content in files:
        builder.add_file(name, size=len(content), chunks=[content])
    return _bounded(builder.build(strip_top=False))


def _bounded(archive: Archive) -> Archive:
    if archive.size > tar_stream.MAX_COMPRESSED:
        raise TooLarge
    return archive


def _walk(directory: Path) -> Iterator[Path]:
    for entry in sorted(directory.iterdir()):
        if entry.name in SKIPPED_DIRECTORIES:
            continue
        yield entry
        if entry.is_dir() and not entry.is_symlink():
            yield from _walk(entry)


@dataclass(frozen=True)
class _ArchiveEntry:
    path: str
    size: int = 0
    packed: bytes | None = None  # None: a directory

    @property
    def is_dir(self) -> bool:
        return self.packed is None


class _Builder:
    """Collects entries by the name that a case- and form-blind file system would give them.

    Contents wait compressed: 50 MB of files must not take 50 MB of memory.
    """

    def __init__(self) -> None:
        self._entries: dict[str, _ArchiveEntry] = {}
        self._total = 0

    def add_directory(self, name: str) -> None:
        if path := _safe_path(name):
            self._add_parents(path)
            self._add(_ArchiveEntry(path))

    def add_file(self, name: str, *, size: int, chunks: Iterable[bytes]) -> None:
        path = _safe_path(name)
        if not path or name.endswith("/"):
            raise _bad_path(name, "is a file without a name")
        if path.rpartition("/")[2].startswith("._"):
            return  # macOS adds these beside every file that has extended attributes
        self._add_parents(path)
        self._check_size(path, size)
        self._add(_ArchiveEntry(path, size, _pack(chunks)))

    def build(self, *, strip_top: bool) -> Archive:
        entries = sorted(self._entries.values(), key=lambda entry: entry.path)
        if all(entry.is_dir for entry in entries):
            raise ArchiveRejected("archive_empty", "The archive has no files, so the entrypoint is missing.")
        if strip_top:
            entries = _without_top(entries)
        content = _write(entries)
        return Archive(
            content=content,
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            files=tuple(ArchiveFile(entry.path, entry.size) for entry in entries if not entry.is_dir),
        )

    def _add_parents(self, path: str) -> None:
        parts = path.split("/")
        for depth in range(1, len(parts)):
            self._add(_ArchiveEntry("/".join(parts[:depth])))

    def _check_size(self, path: str, size: int) -> None:
        if size > tar_stream.MAX_FILE:
            raise tar_stream.file_too_large(path)
        self._total += size
        if self._total > tar_stream.MAX_TOTAL:
            raise tar_stream.total_too_large()

    def _add(self, entry: _ArchiveEntry) -> None:
        present = self._entries.setdefault(_collision_key(entry.path), entry)
        if present is not entry:
            _check_same_directory(present, entry)
        elif len(self._entries) > tar_stream.MAX_MEMBERS:
            raise tar_stream.too_many()


def _check_same_directory(present: _ArchiveEntry, entry: _ArchiveEntry) -> None:
    name = shown(entry.path)
    if present.path != entry.path:
        raise ArchiveRejected(
            "archive_collision",
            f"{shown(present.path)} and {name} differ only in case or Unicode form. Rename one of them.",
        )
    if present.is_dir != entry.is_dir:
        raise ArchiveRejected("archive_clash", f"{name} is both a file and a directory. Keep one of them.")
    if not entry.is_dir:
        raise ArchiveRejected("archive_duplicate", f"{name} is in the archive twice. Keep one of them.")


def _safe_path(name: str) -> str:
    """The name in NFC without ``./`` and double slashes; empty for the archive's root. Raises ArchiveRejected."""
    if len(name) > MAX_RAW_NAME:
        raise _too_long(name)
    path = unicodedata.normalize("NFC", name)
    if any(unicodedata.category(character) in _UNSAFE_CATEGORIES for character in path):
        raise _bad_path(name, "has control characters or is not UTF-8")
    if path.startswith("/") or "\\" in path:
        raise _bad_path(name, "is absolute or has a backslash")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if any(part == ".." or part.startswith("-") for part in parts):
        raise _bad_path(name, "has a part that is '..' or starts with '-'")
    path = "/".join(parts)
    if len(path.encode()) > MAX_NAME_BYTES or len(parts) > MAX_DEPTH:
        raise _too_long(name)
    return path


def _too_long(name: str) -> ArchiveRejected:
    return _bad_path(name, f"is longer than {MAX_NAME_BYTES} bytes or deeper than {MAX_DEPTH} directories")


def _bad_path(name: str, problem: str) -> ArchiveRejected:
    return ArchiveRejected("archive_path", f"{shown(name)} {problem}. Rename it and make the archive again.")


def _collision_key(path: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())


def _pack(chunks: Iterable[bytes]) -> bytes:
    packer = zlib.compressobj(level=1, wbits=31)
    return b"".join([*map(packer.compress, chunks), packer.flush()])


def _without_top(entries: list[_ArchiveEntry]) -> list[_ArchiveEntry]:
    top = entries[0]
    prefix = f"{top.path}/"
    if not top.is_dir or not all(entry.path.startswith(prefix) for entry in entries[1:]):
        return entries
    return [_ArchiveEntry(entry.path.removeprefix(prefix), entry.size, entry.packed) for entry in entries[1:]]


def _write(entries: Iterable[_ArchiveEntry]) -> bytes:
    output = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=output, mode="wb", compresslevel=6, mtime=0) as packer,
        tarfile.open(fileobj=packer, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8") as tar,
    ):
        for entry in entries:
            with gzip.open(io.BytesIO(entry.packed or b"")) as content:
                tar.addfile(_header(entry), content)
    return output.getvalue()


def _header(entry: _ArchiveEntry) -> tarfile.TarInfo:
    header = tarfile.TarInfo(entry.path)
    header.type = tarfile.DIRTYPE if entry.is_dir else tarfile.REGTYPE
    header.mode = 0o755 if entry.is_dir else 0o644
    header.size = entry.size
    header.uid = header.gid = _OWNER
    return header
