"""Runs inside a sandbox: what the kernel answers to calls and sockets, as one JSON object of errno names."""

import ctypes
import errno
import json
import platform
import socket

EVERYWHERE = {"io_uring_setup": 425, "io_uring_enter": 426, "clone3": 435, "pidfd_getfd": 438, "open_tree": 428}
BY_MACHINE = {
    "x86_64": {
        "add_key": 248, "bpf": 321, "keyctl": 250, "mount": 165, "perf_event_open": 298, "process_vm_readv": 310,
        "ptrace": 101, "request_key": 249, "setns": 308, "unshare": 272, "userfaultfd": 323,
    },
    "aarch64": {
        "add_key": 217, "bpf": 280, "keyctl": 219, "mount": 40, "perf_event_open": 241, "process_vm_readv": 270,
        "ptrace": 117, "request_key": 218, "setns": 268, "unshare": 97, "userfaultfd": 282,
    },
}  # fmt: skip
FAMILIES = {"AF_ALG": 38, "AF_VSOCK": 40, "AF_PACKET": 17, "AF_KEY": 15, "AF_XDP": 44, "AF_CAN": 29}
CLONES = {"clone_newuser": 0x10000000, "clone_newnet": 0x40000000}

kernel = ctypes.CDLL(None, use_errno=True).syscall


def answer(number, *words):
    ctypes.set_errno(0)
    kernel(ctypes.c_long(number), *[ctypes.c_long(word) for word in words])
    return errno.errorcode.get(ctypes.get_errno(), "allowed")


def opened(family, kind=socket.SOCK_STREAM, protocol=0):
    try:
        socket.socket(family, kind, protocol).close()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "allowed"


def main():
    numbers = EVERYWHERE | BY_MACHINE[platform.machine()]
    clone = {"x86_64": 56, "aarch64": 220}[platform.machine()]
    wide = {"x86_64": 41, "aarch64": 198}[platform.machine()]
    found = {
        "calls": {name: answer(number, 0, 0, 0, 0, 0) for name, number in numbers.items()}
        | {name: answer(clone, flags | 17, 0, 0, 0, 0) for name, flags in CLONES.items()},
        "refused": {name: opened(family) for name, family in FAMILIES.items()}
        | {
            "AF_VSOCK in a wide word": answer(wide, 40 | 1 << 32, 1, 0),
            "NETLINK_NETFILTER": opened(socket.AF_NETLINK, socket.SOCK_RAW, 12),
        },
        "open": {
            "AF_UNIX": opened(socket.AF_UNIX),
            "AF_INET": opened(socket.AF_INET),
            "AF_INET6": opened(socket.AF_INET6),
            "AF_INET datagrams": opened(socket.AF_INET, socket.SOCK_DGRAM),
            "NETLINK_ROUTE": opened(socket.AF_NETLINK, socket.SOCK_RAW, 0),
        },
    }
    print(json.dumps(found))


main()
