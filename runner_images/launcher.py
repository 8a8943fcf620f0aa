"""The main process of every sandbox container: takes one request on stdin, runs one script, answers with one frame.

It is PID 1, not dumpable, and guarded: the script, although it has the same uid, can neither signal it, nor open its
pipes or memory, nor change its limits or priority, and everything in the container ends with it. It ends as soon as its
stdin closes.

Frame, both ways: MAGIC, 4 bytes length of the body (big endian), body. A body is a list of byte strings, each behind
4 bytes of length. The answer's first string is the HMAC-SHA256 of the rest, with the key that came in the request.
"""

# ruff: noqa: PTH103, PTH120, PTH123

# Every check pays for these imports. The private modules are the C halves of ctypes, signal and hashlib, whose public
# wrappers take 8 ms of CPU; json, pathlib and tarfile would take another 20.
import _ctypes
import _signal
import os
import select
import time
import zlib

try:
    from _sha256 import sha256
except ImportError:  # Python 3.12 and later
    from _sha2 import sha256

MAGIC = b"TECKO\x001\n"
MAX_REQUEST = 64 * 1024 * 1024
WORK, FILES = "/work", "/run/tecko"
GRACE_SECONDS = 2.0
CHUNK = 64 * 1024
DRAIN = 1024 * 1024  # the most that one pipe can hold
OOM_COUNTERS = ("/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/memory.events")
PR_SET_DUMPABLE, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 4, 22, 2
BPF_LOAD, BPF_EQUAL, BPF_RETURN = 0x20, 0x15, 0x06  # a word at an offset of seccomp_data; jumps: over so many rules
SECCOMP_ALLOW, SECCOMP_EPERM = 0x7FFF0000, 0x00050001
# Calls that change another process: its number is the first argument, or the second. prlimit64, sched_setparam,
# sched_setscheduler, sched_setattr, sched_setaffinity; setpriority, ioprio_set
REACHING = {
    "x86_64": ((302, 142, 144, 314, 203), (141, 251)),
    "aarch64": ((261, 118, 119, 274, 122), (140, 30)),
}
EVERYBODY = -1  # but PID 1; in one sweep, so no fork escapes
SIGINT, SIGKILL, SIGPIPE, SIGTERM, SIGXFSZ = 2, 9, 13, 15, 25


class Refused(Exception):
    """The request cannot be carried out; the message is safe to show."""


class Request:
    def __init__(self, body: bytes) -> None:
        self.key, numbers, argv, env, self.archive, files = unpack(body)
        self.timeout, self.limit, self.head, *self.tails = (int(number) for number in numbers.split())
        self.argv = unpack(argv)
        self.env = pairs(unpack(env))
        self.files = pairs(unpack(files))


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


def main() -> None:
    hide()
    guard()
    request = Request(receive())
    answer(request.key, carry_out(request))


def carry_out(request: Request) -> list[bytes]:
    began = time.monotonic()
    try:
        place(request)
        unpacked = time.monotonic() - began
        script = Script(request, on_child_exit())
    except (Refused, OSError, ValueError, zlib.error) as error:
        return [b"refused", str(error).encode(errors="replace")]
    seconds = script.run()
    milliseconds = f"{unpacked * 1000:.0f} {seconds * 1000:.0f}"
    numbers = f"{script.status} {oom_kills()} {script.started_at:.6f} {milliseconds}"
    out, err = script.outputs
    return [script.ended.encode(), numbers.encode(), *out.fields(), *err.fields()]


def hide() -> None:
    """Gives /proc/1 to root: no other process of our uid can open our pipes and memory, or trace us."""
    control(PR_SET_DUMPABLE, 0)


def guard() -> None:
    """Has the kernel refuse, to us and to all that we start, what would change the process with the number 1.

    A script may do so with its own processes, whose numbers no profile can know. All processes of a user at once are
    refused by the profile of the container.
    """
    first, second = REACHING[os.uname().machine]
    rules = [(BPF_LOAD, 0, 0, 0)]  # the number of the call
    for number, argument in [(number, 16) for number in first] + [(number, 24) for number in second]:
        rules += [(BPF_EQUAL, 0, 4, number), (BPF_LOAD, 0, 0, argument), (BPF_EQUAL, 0, 1, 1)]
        rules += [(BPF_RETURN, 0, 0, SECCOMP_EPERM), (BPF_LOAD, 0, 0, 0)]
    rules.append((BPF_RETURN, 0, 0, SECCOMP_ALLOW))
    code = b"".join(bytes((op, 0, yes, no)) + word.to_bytes(4, "little") for op, yes, no, word in rules)
    octets = type("Octets", (_ctypes.Array,), {"_type_": Octet, "_length_": len(code)}).from_buffer_copy(code)
    program = len(rules).to_bytes(8, "little") + _ctypes.addressof(octets).to_bytes(8, "little")
    control(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program)


class Octet(_ctypes._SimpleCData):
    _type_ = "B"


def control(*words: int | bytes) -> None:
    prctl = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")
    if _ctypes.call_function(prctl, words + (0,) * (5 - len(words))) != 0:
        raise SystemExit("prctl is refused")


def receive() -> bytes:
    header = read_exactly(len(MAGIC) + 4)
    length = int.from_bytes(header[len(MAGIC) :], "big")
    if not header.startswith(MAGIC) or length > MAX_REQUEST:
        raise SystemExit("not a request")
    return read_exactly(length)


def read_exactly(size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        data = os.read(0, min(size - len(received), DRAIN))
        if not data:
            os._exit(0)
        received += data
    return bytes(received)


def unpack(body: bytes) -> list[bytes]:
    fields, position = [], 0
    while position < len(body):
        end = position + 4 + int.from_bytes(body[position : position + 4], "big")
        fields.append(body[position + 4 : end])
        position = end
    return fields


def pairs(fields: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(fields[::2], fields[1::2], strict=True))


def pack(fields: list[bytes]) -> bytes:
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def answer(key: bytes, fields: list[bytes]) -> None:
    content = pack(fields)
    body = pack([mac(key, content)]) + content
    write(1, MAGIC + len(body).to_bytes(4, "big") + body)


def mac(key: bytes, content: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104); the key is at most one block of 64 bytes."""
    block = key.ljust(64, b"\0")
    inner = sha256(bytes(byte ^ 0x36 for byte in block) + content).digest()
    return sha256(bytes(byte ^ 0x5C for byte in block) + inner).digest()


def place(request: Request) -> None:
    for name, content in request.files.items():
        create(f"{FILES}/{name.decode()}", content, 0o400)
    os.chdir(WORK)
    extract(Gunzip(request.archive))


def create(path: str, content: bytes, mode: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        write(file, content)
    finally:
        os.close(file)


def write(file: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]


def extract(tar: "Gunzip") -> None:
    """Into the current folder, which is empty; the tar is in GNU format."""
    long_name = b""
    while (header := tar.read(512)).strip(b"\0"):
        kind, size = header[156:157], int(header[124:136].strip(b"\0 ") or b"0", 8)
        content = tar.read(size)
        tar.read(-size % 512)
        if kind == b"L":
            long_name = content
            continue
        path = inside(long_name or header[:100])
        long_name = b""
        if kind == b"5":
            os.makedirs(path, exist_ok=True)
        elif kind in (b"0", b"\0"):
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            create(path, content, 0o644)
        else:
            raise Refused("The archive has something that is neither a file nor a directory.")


def inside(name: bytes) -> str:
    path = os.fsdecode(name.split(b"\0", 1)[0])
    if path.startswith("/") or ".." in path.split("/"):
        raise Refused("The archive has a path that leaves its folder.")
    return path


class Gunzip:
    def __init__(self, content: bytes) -> None:
        self.inflater = zlib.decompressobj(31)
        self.source = memoryview(content)
        self.ready = bytearray()

    def read(self, size: int) -> bytes:
        while len(self.ready) < size:
            if not self.source:
                raise Refused("The archive is cut short.")
            self.ready += self.inflater.decompress(self.source[:CHUNK])
            self.source = self.source[CHUNK:]
        data = bytes(self.ready[:size])
        del self.ready[:size]
        return data


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


if __name__ == "__main__":
    main()
