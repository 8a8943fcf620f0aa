"""The script's process, what it prints, and its end."""

# ruff: noqa: PTH123

import _signal
import os
import select
import time

from launcher.frames import Request
from launcher.unpacking import CHUNK, WORK

GRACE_SECONDS = 2.0
DRAIN = 1024 * 1024  # the most that one pipe can hold
OOM_COUNTERS = ("/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/memory.events")
EVERYBODY = -1  # but PID 1; in one sweep, so no fork escapes
SIGINT, SIGKILL, SIGPIPE, SIGTERM, SIGXFSZ = 2, 9, 13, 15, 25


class Output:
    """One stream of the script: its first ``first`` and last ``last`` bytes, and how many there were."""

    def __init__(self, pipe: int, first: int, last: int) -> None:
        self.pipe = pipe
        self.first = first
        self.last = last
        self.head = b""
        self.tail = bytearray()
        self.total = 0
        self.open = True

    def take(self) -> int:
        """Reads what is there, at most one chunk; 0 where nothing is."""
        try:
            data = os.read(self.pipe, CHUNK)
        except BlockingIOError:
            return 0
        self.open = bool(data)
        self.total += len(data)
        room = self.first - len(self.head)
        self.head += data[:room]
        self.tail += data[room:]
        if len(self.tail) > 2 * self.last:
            del self.tail[: -self.last]
        return len(data)

    def drain(self) -> None:
        left = DRAIN
        while left > 0 and (count := self.take()):
            left -= count

    def fields(self) -> list[bytes]:
        return [self.head, bytes(self.tail[-self.last :]), str(self.total).encode()]


class Script:
    """The script's process and all that it leaves behind."""

    def __init__(self, request: Request, wakeup: int) -> None:
        self.limit = request.limit
        self.wakeup = wakeup
        self.ended = "exited"
        self.status: int | None = None
        out, err = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
        self.outputs = [
            Output(pipe[0], request.head, last) for pipe, last in zip((out, err), request.tails, strict=True)
        ]
        self.started_at = time.time()
        self.started = time.monotonic()
        self.deadline = self.started + request.timeout
        self.pid = spawn(request, out[1], err[1])
        for reader, writer in (out, err):
            os.close(writer)
            os.set_blocking(reader, False)

    def run(self) -> float:
        """Returns the seconds that the script's main process took. What it left behind is killed, not waited for."""
        poll = select.poll()
        for source in (0, self.wakeup, *(output.pipe for output in self.outputs)):
            poll.register(source, select.POLLIN)
        while self.status is None:
            patience = max(0.0, self.deadline - time.monotonic()) * 1000 + 1
            ready = {source for source, _ in poll.poll(patience)}
            if 0 in ready:
                os._exit(0)  # nothing more is ever sent: whoever asked is gone
            if self.wakeup in ready:
                os.read(self.wakeup, CHUNK)
                self.reap()
            for output in self.outputs:
                if output.pipe in ready:
                    output.take()
                    self.check_size(output)
                    if not output.open:
                        poll.unregister(output.pipe)
            self.check_deadline()
        seconds = time.monotonic() - self.started
        send(EVERYBODY, SIGKILL)
        for output in self.outputs:
            output.drain()
            self.check_size(output)
        return seconds

    def check_size(self, output: Output) -> None:
        if output.total > self.limit and self.ended == "exited":
            self.ended = "flooded"
            send(EVERYBODY, SIGKILL)

    def check_deadline(self) -> None:
        if time.monotonic() < self.deadline:
            return
        if self.ended == "exited":
            self.ended = "timeout"
            send(-self.pid, SIGTERM)
        else:
            send(EVERYBODY, SIGKILL)
        self.deadline = time.monotonic() + GRACE_SECONDS

    def reap(self) -> None:
        """Orphans fall to PID 1; unreaped they would use up the limit of processes."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.pid:
                self.status = os.waitstatus_to_exitcode(status)


def on_child_exit() -> int:
    """A pipe that has something to read whenever a child has ended.

    PID 1 gets no other signal from its own container unless it asks for it, and Python asks for SIGINT.
    """
    _signal.signal(SIGINT, _signal.SIG_IGN)
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    _signal.signal(_signal.SIGCHLD, lambda *_: None)
    _signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return reader


def spawn(request: Request, out: int, err: int) -> int:
    pid = os.posix_spawnp(
        request.argv[0],
        request.argv,
        environment() | request.env,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, out, 1),
            (os.POSIX_SPAWN_DUP2, err, 2),
        ],
        setsid=True,
        setsigdef=(SIGINT, SIGPIPE, SIGXFSZ),  # we ignore them, and that would be inherited
    )
    prefer_as_victim(pid)
    return pid


def environment() -> dict[bytes, bytes]:
    return {
        b"PATH": os.environb.get(b"PATH", b"/usr/local/bin:/usr/bin:/bin"),
        b"HOME": WORK.encode(),
        b"LANG": b"C.UTF-8",
        b"PYTHONUNBUFFERED": b"1",
        b"PYTHONDONTWRITEBYTECODE": b"1",
    }


def prefer_as_victim(pid: int) -> None:
    """When memory runs out the kernel takes the script before us. It may have ended by itself already."""
    try:
        with open(f"/proc/{pid}/oom_score_adj", "wb", buffering=0) as file:
            file.write(b"1000")
    except OSError:
        return


def send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        return  # nobody is left


def oom_kills() -> int:
    """How many processes of this container the kernel has killed for memory; -1 where that cannot be seen."""
    for path in OOM_COUNTERS:
        try:
            with open(path, "rb") as file:
                words = file.read().split()
        except OSError:
            continue
        if b"oom_kill" in words:
            return int(words[words.index(b"oom_kill") + 1])
    return -1
