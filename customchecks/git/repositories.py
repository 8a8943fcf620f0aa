"""Git repositories of users: which commit a branch has, and a commit's files as an archive. Nothing is checked out.

What was fetched stays in a bare repository per URL and credential, which jobs and processes share and lock. A server
is connected to at the addresses that were checked, and nowhere else.
"""

import base64
import contextlib
import hashlib
import re
import shutil
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple, Self

from django.conf import settings

from customchecks.archives import script_archive, tar_stream
from customchecks.archives.script_archive import Archive, ArchiveRejected
from customchecks.git import cache
from customchecks.git.cache import GitCache
from customchecks.git.process import Config, GitCommand, GitFailed, GitLimits
from customchecks.installers.package_managers import MANIFESTS
from customchecks.manifests import base
from polling.http.addresses import IPAddress, Target
from polling.http.client import ExchangeFailed, GuardedClient, RequestRefused

HEAD = "refs/tecko/head"
_TOKEN = re.compile(r"[\x21-\x7e]{1,1000}")
_ENTRY = re.compile(rb"([0-7]{6}) ([a-z]+) ([0-9a-f]{40,64}) +([0-9]+|-)\t(.+)", re.DOTALL)
_ADVERTISED = re.compile(rb"([0-9a-f]{40,64})\t([^\n]+)\n")
_LFS = b"version https://git-lfs.github.com/spec/"
_MAX_RECORD = 8192
MOST_NAMED = 10
_UNSUPPORTED = {b"120000": "a symbolic link", b"160000": "a submodule"}


@dataclass(frozen=True, kw_only=True)
class Remote:
    """``credential`` names where ``token`` comes from and is never the token itself."""

    url: str
    token: str = field(default="", repr=False)
    credential: str = ""

    @property
    def key(self) -> str:
        return hashlib.sha256(f"{self.url}\n{self.credential}".encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """``notes`` tell what is in the repository, but not in the archive as one might expect."""

    commit: str
    archive: Archive
    notes: tuple[str, ...]


class _Connection(NamedTuple):
    """``url`` is the checked one, in the form that libcurl compares with the pinned host."""

    url: str
    config: Config


class _Entry(NamedTuple):
    path: str
    size: int
    blob: str


class Repositories:
    """Thread-safe. Every public method raises GitFailed; ``checkout`` raises ArchiveRejected too."""

    def __init__(
        self, *, folder: Path, guard: GuardedClient, ca_bundle: str = "", limits: GitLimits | None = None
    ) -> None:
        self._guard = guard
        self._ca_bundle = ca_bundle
        self._limits = limits or GitLimits()
        self.cache = GitCache(folder, limit_mb=self._limits.cache_mb)
        self._failures: dict[tuple[str, int, str, str], tuple[float, str]] = {}

    @classmethod
    def from_settings(cls, *, folder: Path | None = None) -> Self:
        return cls(
            folder=folder or settings.TECKO_HOME / "git",
            guard=GuardedClient.from_settings(),
            ca_bundle=settings.TECKO_CA_BUNDLE,
        )

    def commit_of(self, remote: Remote, name: str) -> str:
        """The commit that a branch, or else a tag, has now."""
        branch, tag, peeled = (f"refs/{kind}" for kind in (f"heads/{name}", f"tags/{name}", f"tags/{name}^{{}}"))
        until = time.monotonic() + self._limits.ask_seconds
        connection = self._connection(remote)
        answer = GitCommand(
            words=["ls-remote", "--end-of-options", connection.url, branch, tag, peeled],
            config=connection.config,
            limits=self._limits,
            until=until,
        ).run()
        found = {match[2].decode(errors="replace"): match[1].decode() for match in _ADVERTISED.finditer(answer)}
        for known in (branch, peeled, tag):
            if known in found:
                return found[known]
        there = self._branches(connection, until=until)
        raise GitFailed(f"The repository has no branch or tag {name!r:.120}. {there}".rstrip())

    def _branches(self, connection: _Connection, *, until: float) -> str:
        """A sentence with the first few; nothing where they cannot be had."""
        words = ["ls-remote", "--heads", "--end-of-options", connection.url]
        try:
            answer = GitCommand(words=words, config=connection.config, limits=self._limits, until=until).run()
        except GitFailed:
            return ""
        found = [match[2].decode(errors="replace") for match in _ADVERTISED.finditer(answer)]
        names = sorted(name.removeprefix("refs/heads/") for name in found)
        if not names:
            return "It has no branch at all: push something first."
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        return f"Its branches: {', '.join(f'{name!r:.80}' for name in names[:MOST_NAMED])}{more}."

    def checkout(self, remote: Remote, *, commit: str, path: str = "") -> Checkout:
        """The files of a commit, or of its folder ``path``. Connects only for a commit that is not here yet.

        A commit that could not be had is not tried again for five minutes: it may be as large as the limits allow.
        Another token or folder is another attempt.
        """
        known = (remote.key, hash(remote.token), commit, path)
        failed_at, problem = self._failures.get(known, (0.0, ""))
        if problem and time.monotonic() < failed_at + self._limits.retry_seconds:
            raise GitFailed(problem)
        try:
            return self._checkout(remote, commit=commit, path=path)
        except (GitFailed, ArchiveRejected) as error:
            self._remember(known, str(error))
            raise

    def _remember(self, known: tuple[str, int, str, str], problem: str) -> None:
        now = time.monotonic()
        recent = {
            key: each for key, each in self._failures.copy().items() if now < each[0] + self._limits.retry_seconds
        }
        self._failures = {**recent, known: (now, problem)}

    def _checkout(self, remote: Remote, *, commit: str, path: str) -> Checkout:
        until = time.monotonic() + self._limits.seconds
        with self.cache.locked(remote.key, until=until) as folder:
            repository = _Repository(folder, limits=self._limits, until=until)
            try:
                if not repository.has(commit):
                    repository.fetch(self._connection(remote), commit)
                    self.cache.make_room()
                return repository.read(commit, path)
            finally:
                repository.trim()

    def _connection(self, remote: Remote) -> _Connection:
        try:
            target, addresses = self._guard.check(remote.url)
        except (RequestRefused, ExchangeFailed) as error:
            raise GitFailed(str(error)) from None
        if target.scheme != "https":
            raise GitFailed("A repository's URL starts with https://.")
        config = [("http.curloptResolve", _pinned(target, addresses))]
        if self._ca_bundle:
            config.append(("http.sslCAInfo", self._ca_bundle))
        if remote.token:
            config.append((f"http.{_origin(target)}.extraHeader", _authorization(remote.token)))
        return _Connection(target.url, config)


class _Repository:
    """One bare repository, locked by its user."""

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

    def fetch(self, connection: _Connection, commit: str) -> None:
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
        wanted = [f"{folder}/{name}".strip("/") for folder in base.folders(path) for name in MANIFESTS]
        listed = self._git("ls-tree", "--name-only", "-z", "--full-tree", "--end-of-options", commit, *wanted).run()
        return [name.decode(errors="replace") for name in listed.split(b"\0") if name]

    def _entries(self, commit: str, path: str) -> list[_Entry]:
        tree = f"{commit}:{path}" if path else commit
        entries: list[_Entry] = []
        total = 0
        with self._git("ls-tree", "-r", "-z", "-l", "--full-tree", "--end-of-options", tree).output() as listing:
            for record in _records(listing):
                entry = _entry(record)
                total += entry.size
                _check_size(entry, total=total, count=len(entries))
                entries.append(entry)
        return entries

    def _contents(self, entries: Iterable[_Entry], notes: list[str]) -> Generator[tuple[str, bytes]]:
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


def _entry(record: bytes) -> _Entry:
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
    return _Entry(path=name, size=int(size), blob=blob.decode())


def _check_size(entry: _Entry, *, total: int, count: int) -> None:
    if count >= tar_stream.MAX_MEMBERS:
        raise tar_stream.too_many()
    if entry.size > tar_stream.MAX_FILE:
        raise tar_stream.file_too_large(entry.path)
    if total > tar_stream.MAX_TOTAL:
        raise tar_stream.total_too_large()


def _content(stream: BinaryIO, entry: _Entry) -> bytes:
    header = stream.readline(200)
    if header.split() != [entry.blob.encode(), b"blob", str(entry.size).encode()]:
        raise GitFailed(f"The repository lacks the content of {tar_stream.shown(entry.path)}.")
    content = stream.read(entry.size + 1)
    return content[:-1]


def _pinned(target: Target, addresses: Iterable[IPAddress]) -> str:
    """The form of libcurl's CURLOPT_RESOLVE."""
    shown = ",".join(f"[{address}]" if address.version == 6 else str(address) for address in addresses)
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{host}:{target.port}:{shown}"


def _origin(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"https://{host}:{target.port}/"


def _authorization(token: str) -> str:
    """A secret is a token, or ``user:token`` for a server that looks at the user."""
    if not _TOKEN.fullmatch(token):
        raise GitFailed("The secret of script_git_token is not a token: it has spaces or other odd characters.")
    pair = token if ":" in token else f"x-access-token:{token}"
    return f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}"
