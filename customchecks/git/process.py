"""Runs Git: explicit argument lists, an environment of its own, limits, and the end of the whole process group.

GitPython starts the process. Its time limit and its environment are not used: the one looks for children with ``ps``
and leaves those that it does not find, the other hands our own variables, with our keys, to Git.
"""

import contextlib
import os
import re
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, BinaryIO, cast

from git.cmd import Git
from git.exc import GitCommandNotFound

Config = Sequence[tuple[str, str]]

LATE = "The repository did not answer in time."
NOT_STARTED = "Git cannot be started on this host. Run manage.py customcheck doctor."
BACKSTOP_SECONDS = 2
OLDEST = (2, 37)  # the first with http.curloptResolve
OWN_CONFIG: Config = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.bigFileThreshold", "8m"),  # larger files are streamed
    ("core.alternateRefsCommand", ":"),
    ("credential.helper", ""),
    ("credential.interactive", "false"),
    ("fetch.fsckObjects", "true"),
    ("fetch.unpackLimit", "1"),  # one pack, not thousands of files
    ("fetch.recurseSubmodules", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "20"),
    ("http.proxy", ""),
    ("http.sslVerify", "true"),
    ("pack.threads", "1"),
    ("protocol.version", "2"),
    ("protocol.allow", "never"),
    ("protocol.https.allow", "always"),
    ("transfer.bundleURI", "false"),
)
OWN_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "https",
    "GIT_ASKPASS": "/bin/false",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "HOME": "/nonexistent",
    "LANGUAGE": "C",
    "LC_ALL": "C",
}
_MB = 1024 * 1024
_STDERR_KEPT = 16 * 1024


@dataclass(frozen=True, kw_only=True)
class GitLimits:
    """Bounds of what Git may take.

    ``ask_seconds`` is for the question which commit a branch has, ``seconds`` for everything of one check.

    Memory (address space), file size, open files and CPU time are of each process; ``quota_mb`` is what is kept of one
    repository and ``cache_mb`` of all, ``retry_seconds`` how long a commit that could not be fetched is left alone.
    """

    ask_seconds: float = 20
    seconds: float = 60
    memory_mb: int = 512
    file_mb: int = 64
    open_files: int = 128
    cpu_seconds: int = 60
    quota_mb: int = 50
    cache_mb: int = 2000
    retry_seconds: float = 300


class GitFailed(Exception):
    """The message is safe to show."""


@dataclass(frozen=True, kw_only=True)
class GitCommand:
    """One call of Git: ``words`` follow ``git``.

    ``config`` goes through the environment, which no process listing shows to others.
    """

    words: Sequence[str]
    limits: GitLimits
    until: float  # of time.monotonic()
    config: Config = field(default=(), repr=False)
    stdin: IO[bytes] | None = None

    @contextlib.contextmanager
    def output(self) -> Iterator[BinaryIO]:
        """Its stdout. Whoever leaves early by an exception ends it. Raises GitFailed for any other end than success."""
        process = self._start()
        late = threading.Event()
        watchdog = threading.Timer(max(self.until - time.monotonic(), 0), _expire, (process.pid, late))
        errors = _Tail(cast(BinaryIO, process.stderr))
        watchdog.start()
        try:
            yield cast(BinaryIO, process.stdout)
            while cast(BinaryIO, process.stdout).read(65536):
                pass  # nobody wants it, but nobody stops for it either
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        except GitFailed as error:
            if late.is_set():
                raise GitFailed(LATE) from error  # what was missing, was missing because of that
            raise
        finally:
            watchdog.cancel()
            watchdog.join()
            _kill(process.pid)  # not reaped yet, so the number is still ours
            process.wait()
            said = errors.text()
            cast(BinaryIO, process.stdout).close()
        if late.is_set():
            raise GitFailed(LATE)
        if process.returncode:
            raise GitFailed(reason(said, code=process.returncode, limits=self.limits))

    def run(self, *, most: int = _MB) -> bytes:
        with self.output() as stdout:
            found = stdout.read(most + 1)
            if len(found) > most:
                raise GitFailed("The repository's answer is too long.")
        return found

    def _start(self) -> "subprocess.Popen[bytes]":
        # In the root folder no configuration of a repository around us is found
        words = [*_without(os.environ), *self._backstop(), *_limited(self.limits), "git", *self.words]
        environment = {**OWN_ENVIRONMENT, "PATH": os.environ.get("PATH", os.defpath), **_config(self.config)}
        try:
            started: Any = Git("/").execute(
                words,
                as_process=True,
                env=environment,
                istream=cast(Any, self.stdin),
                shell=False,
                start_new_session=True,
            )
        except GitCommandNotFound as error:
            raise GitFailed(NOT_STARTED) from error
        process, started.proc = started.proc, None  # the wrapper would end it when it is collected
        return cast("subprocess.Popen[bytes]", process)

    def _backstop(self) -> list[str]:
        """The end of the group where our own process does not live to bring it."""
        seconds = max(self.until - time.monotonic(), 0) + BACKSTOP_SECONDS
        return ["timeout", "--signal=KILL", f"{seconds:.1f}"]


def version() -> tuple[int, ...] | None:
    """None where there is no Git that can be started."""
    try:
        said = GitCommand(words=["version"], limits=GitLimits(), until=time.monotonic() + 5).run()
    except GitFailed:
        return None
    numbers = re.search(rb"version (\d+)\.(\d+)", said)
    return tuple(int(number) for number in numbers.groups()) if numbers else None


class _Tail:
    """Reads a stream to its end, so that nobody waits for its reader, and keeps the end of it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._kept = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def text(self) -> str:
        self._thread.join(5)
        return self._kept.decode("utf-8", "replace")

    def _read(self) -> None:
        with self._stream as stream:
            while piece := stream.read1(65536):  # type: ignore[attr-defined]
                self._kept = (self._kept + piece)[-_STDERR_KEPT:]


def _without(names: Iterable[str]) -> list[str]:
    """``Git.execute`` adds to our environment, so it is taken away again before Git starts."""
    unwanted = [name for name in names if name not in OWN_ENVIRONMENT and name != "PATH"]
    return ["env", *(f"--unset={name}" for name in unwanted)]


def _limited(limits: GitLimits) -> list[str]:
    wanted = {
        "as": (resource.RLIMIT_AS, limits.memory_mb * _MB),
        "fsize": (resource.RLIMIT_FSIZE, limits.file_mb * _MB),
        "nofile": (resource.RLIMIT_NOFILE, limits.open_files),
        "cpu": (resource.RLIMIT_CPU, limits.cpu_seconds),
        "core": (resource.RLIMIT_CORE, 0),
    }
    return ["prlimit", *(f"--{name}={_at_most(kind, value)}" for name, (kind, value) in wanted.items())]


def _at_most(kind: int, value: int) -> int:
    """A hard limit cannot be raised."""
    hard = resource.getrlimit(kind)[1]
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def _config(config: Config) -> dict[str, str]:
    entries = [*OWN_CONFIG, *config]
    keys = {f"GIT_CONFIG_KEY_{number}": key for number, (key, _) in enumerate(entries)}
    values = {f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in enumerate(entries)}
    return {"GIT_CONFIG_COUNT": str(len(entries)), **keys, **values}


def _expire(group: int, late: threading.Event) -> None:
    late.set()
    _kill(group)


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


_REASONS: Sequence[tuple[str, str]] = (
    (
        r"could not read (?:Username|Password)|unable to get password|Authentication failed|error: 40[13]\b",
        "The repository refused access. Set script_git_token to a secret with a token that may read it.",
    ),
    (
        r"error: 404|error: 410|repository '[^'\n]*' not found",
        "There is no repository at this URL, or it needs a token.",
    ),
    (
        r"error: 3\d\d|redirect",
        "The server redirects to another place, which is not followed. Use the URL that it redirects to.",
    ),
    (r"certificate|no alternative certificate subject name", "The server's certificate was not accepted."),
    (
        r"Failed to connect|Couldn't connect|Could not resolve|Connection (?:refused|timed out|reset)",
        "No connection to the server.",
    ),
    (r"Operation too slow|transfer speed", LATE),
    (r"fsck error", "An object of the commit is malformed, and Git refuses it. git fsck tells which one."),
    (
        r"invalid index-pack output|signal 25|File too large",
        "The commit is larger than {limits.file_mb} MB, or what the server sent is broken.",
    ),
    (
        r"[Oo]ut of memory|mmap failed|unable to allocate|signal (?:9|11|6)\b",
        "The repository needs more than {limits.memory_mb} MB of memory.",
    ),
    (r"SSL|TLS|unexpected disconnect|early EOF|[Ee]mpty reply", "The connection broke."),
    (r"dumb http", "The server speaks only the dumb protocol, which cannot fetch a single commit."),
    (r"not our ref|couldn't find remote ref|[Nn]o such remote ref|remote did not send", "The commit is gone."),
    (r"[Nn]ot a valid object name|not a tree object|does not exist in", "The commit has no such folder."),
    (r"remote error:", "The server reported an error of its own."),
    (r"failed to execute|env: ", NOT_STARTED),
)


def reason(stderr: str, *, code: int, limits: GitLimits) -> str:
    """Git's own words, but not those of the server that Git passes on: of several lines any may be the server's."""
    lines = [line for line in re.split(r"[\r\n]", stderr) if line and not line.startswith("remote:")]
    own = "\n".join(lines)
    for pattern, message in _REASONS:
        if re.search(pattern, own):
            return message.format(limits=limits)
    if code in (-signal.SIGXFSZ, -signal.SIGXCPU):
        return "The repository is too large to be read within the limits."
    return f"Git failed: {_own_words(lines[0])!r:.200}" if len(lines) == 1 else f"Git ended with code {code}."


def _own_words(line: str) -> str:
    """What follows a quote or a colon may be the server's."""
    said = re.sub(r"^(fatal|error): (unable to access '[^']*': )?", "", line)
    return re.split("['\":]", said, maxsplit=1)[0].strip()
