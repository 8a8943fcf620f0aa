"""What keeps the script from the launcher, which has the same uid."""

import _ctypes
import os

PR_SET_DUMPABLE, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 4, 22, 2
BPF_LOAD, BPF_EQUAL, BPF_RETURN = 0x20, 0x15, 0x06  # a word at an offset of seccomp_data; jumps: over so many rules
SECCOMP_ALLOW, SECCOMP_EPERM = 0x7FFF0000, 0x00050001
# Calls that change another process: its number is the first argument, or the second. prlimit64, sched_setparam,
# sched_setscheduler, sched_setattr, sched_setaffinity; setpriority, ioprio_set
REACHING = {
    "x86_64": ((302, 142, 144, 314, 203), (141, 251)),
    "aarch64": ((261, 118, 119, 274, 122), (140, 30)),
}


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
