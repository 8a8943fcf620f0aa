"""A bare repository on our disk: a commit's files, read as an archive. Nothing is checked out."""

import contextlib
import re
import shutil
import tempfile
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple

from customchecks.archives import script_archive, tar_stream
from customchecks.archives.script_archive import Archive, ArchiveRejected
from customchecks.git import cache
from customchecks.git.connection import Connection
from customchecks.git.process import Config, GitCommand, GitFailed, GitLimits
from customchecks.installers.package_managers import MANIFESTS
from customchecks.manifests import places

HEAD = "refs/tecko/head"
_ENTRY = re.compile(rb"([0-7]{6}) ([a-z]+) ([0-9a-f]{40,64}) +([0-9]+|-)\t(.+)", re.DOTALL)
_LFS = b"version https://git-lfs.github.com/spec/"
_MAX_RECORD = 8192
_UNSUPPORTED = {b"120000": "a symbolic link", b"160000": "a submodule"}


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """The script at a commit. ``notes`` tell what is in the repository, but not in the archive as one might expect."""

    commit: str
    archive: Archive
    notes: tuple[str, ...]


class _TreeEntry(NamedTuple):
    path: str
    size: int
    blob: str


class BareRepository:
    """One of them, locked by its user. All raise GitFailed; ``read`` raises ArchiveRejected too."""

    def __init__(self, folder: Path, *, limits: GitLimits, until: float) -> None:
        self._folder = folder
        self._limits = limits
        self._until = until

    def has(self, commit: str) -> bool:
        if not self._folder.exists():
            return False
        try:
            self._git("cat-file", "-e", f"{commit}^{{tree}}").run()
        except GitFailed:
            return False
        return True

    def fetch(self, connection: Connection, commit: str) -> None:
        """What a failed fetch has left is removed with everything else."""
        words = ["--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-maintenance"]
        try:
            if not self._folder.exists():
                kind = f"--object-format={'sha256' if len(commit) == 64 else 'sha1'}"
                self._git("init", "--quiet", "--bare", "--template=", kind, str(self._folder), inside=False).run()
            words += ["--end-of-options", connection.url, f"+{commit}:{HEAD}"]
            self._git("fetch", "--quiet", *words, config=connection.config).run()
        except GitFailed:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def read(self, commit: str, path: str) -> Checkout:
        entries = self._entries(commit, path)
        notes: list[str] = []
        with contextlib.closing(self._contents(entries, notes)) as contents:  # Git ends also where one is refused
            archive = script_archive.from_files(contents)
        if any(entry.path == ".gitmodules" for entry in entries):
            notes.append("The repository names submodules; they are not fetched.")
        if path and not any(archive.has(name) for name in MANIFESTS):
            notes += [
                f"{name} stands above the folder and is no part of the script." for name in self._above(commit, path)
            ]
        return Checkout(commit=commit, archive=archive, notes=tuple(notes))

    def trim(self) -> None:
        if cache.size(self._folder) > self._limits.quota_mb * tar_stream.MB:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _above(self, commit: str, path: str) -> list[str]:
        """Manifests of the folders that a folder is in."""
        wanted = [f"{folder}/{name}".strip("/") for folder in places.folders(path) for name in MANIFESTS]
        listed = self._git("ls-tree", "--name-only", "-z", "--full-tree", "--end-of-options", commit, *wanted).run()
        return [name.decode(errors="replace") for name in listed.split(b"\0") if name]

    def _entries(self, commit: str, path: str) -> list[_TreeEntry]:
        tree = f"{commit}:{path}" if path else commit
        entries: list[_TreeEntry] = []
        total = 0
        with self._git("ls-tree", "-r", "-z", "-l", "--full-tree", "--end-of-options", tree).output() as listing:
            for record in _records(listing):
                entry = _entry(record)
                total += entry.size
                _check_size(entry, total=total, count=len(entries))
                entries.append(entry)
        return entries

    def _contents(self, entries: Iterable[_TreeEntry], notes: list[str]) -> Generator[tuple[str, bytes]]:
        """Their sizes have been looked at."""
        with tempfile.TemporaryFile() as wanted:
            wanted.write("".join(f"{entry.blob}\n" for entry in entries).encode())
            wanted.seek(0)
            with self._git("cat-file", "--batch", stdin=wanted).output() as contents:
                for entry in entries:
                    content = _content(contents, entry)
                    if content.startswith(_LFS):
                        shown = tar_stream.shown(entry.path)
                        notes.append(f"{shown} is a Git LFS pointer; its content is not fetched.")
                    yield entry.path, content

    def _git(self, *words: str, config: Config = (), stdin: IO[bytes] | None = None, inside: bool = True) -> GitCommand:
        where = (f"--git-dir={self._folder}",) if inside else ()
        return GitCommand(words=[*where, *words], limits=self._limits, until=self._until, config=config, stdin=stdin)


def _records(stream: BinaryIO) -> Iterator[bytes]:
    """Ends as soon as one of the limits is passed, because some trees have no end."""
    rest = b""
    while piece := stream.read1(65536):  # type: ignore[attr-defined]
        *records, rest = (rest + piece).split(b"\0")
        yield from records
        if len(rest) > _MAX_RECORD:
            raise GitFailed("The repository has a path that is too long.")


def _entry(record: bytes) -> _TreeEntry:
    match = _ENTRY.fullmatch(record)
    if match is None:
        raise GitFailed("The repository has a tree that cannot be read.")
    mode, _, blob, size, path = match.groups()
    name = path.decode("utf-8", "surrogateescape")
    if mode in _UNSUPPORTED:
        raise ArchiveRejected(
            "archive_entry",
            f"Unsupported entry: {tar_stream.shown(name)} is {_UNSUPPORTED[mode]}. Only files and folders are taken.",
        )
    return _TreeEntry(path=name, size=int(size), blob=blob.decode())


def _check_size(entry: _TreeEntry, *, total: int, count: int) -> None:
    if count >= tar_stream.MAX_MEMBERS:
        raise tar_stream.too_many()
    if entry.size > tar_stream.MAX_FILE:
        raise tar_stream.file_too_large(entry.path)
    if total > tar_stream.MAX_TOTAL:
        raise tar_stream.total_too_large()


def _content(stream: BinaryIO, entry: _TreeEntry) -> bytes:
    header = stream.readline(200)
    if header.split() != [entry.blob.encode(), b"blob", str(entry.size).encode()]:
        raise GitFailed(f"The repository lacks the content of {tar_stream.shown(entry.path)}.")
    content = stream.read(entry.size + 1)
    return content[:-1]
