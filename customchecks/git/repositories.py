"""Git repositories of users: which commit a branch has, and a commit's files as an archive.

What was fetched stays in a bare repository per URL and credential, which jobs and processes share and lock. A server
is connected to at the addresses that were checked, and nowhere else.
"""

import re
import time
from pathlib import Path
from typing import Self

from django.conf import settings

from customchecks.archives.script_archive import ArchiveRejected
from customchecks.git.bare_repository import BareRepository, Checkout
from customchecks.git.cache import GitCache
from customchecks.git.connection import Connection, Remote, connect
from customchecks.git.process import GitCommand, GitFailed, GitLimits
from polling.http.client import GuardedClient

_ADVERTISED = re.compile(rb"([0-9a-f]{40,64})\t([^\n]+)\n")
MAX_NAMED = 10


class Repositories:
    """All that were fetched. Thread-safe. All methods raise GitFailed; ``checkout`` raises ArchiveRejected too."""

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

    def _branches(self, connection: Connection, *, until: float) -> str:
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
        more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
        return f"Its branches: {', '.join(f'{name!r:.80}' for name in names[:MAX_NAMED])}{more}."

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
            repository = BareRepository(folder, limits=self._limits, until=until)
            try:
                if not repository.has(commit):
                    repository.fetch(self._connection(remote), commit)
                    self.cache.make_room()
                return repository.read(commit, path)
            finally:
                repository.trim()

    def _connection(self, remote: Remote) -> Connection:
        return connect(remote, guard=self._guard, ca_bundle=self._ca_bundle)
