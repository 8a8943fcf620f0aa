"""The one place that says what a container may do: the whole body of its creation."""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from customchecks.archives.script_archive import UNPACKED_AT

USER = "1000:1000"
WORK, TMP, FILES = UNPACKED_AT, "/tmp", "/run/tecko"  # noqa: S108
INSTANCE, CLAIM, DEADLINE, PURPOSE = (f"teckochecker.{name}" for name in ("instance", "claim", "deadline", "purpose"))
RULE_CONTAINER = "rules"  # the purpose of the container that sets packet rules

_MB = 1024 * 1024
_PIDS = 100
_OPEN_FILES = 1024
_SHARED_MEMORY = 8 * _MB
_FILES_MB = 4
_RULE_CONTAINER_MB = 64
_OOM_SCORE = 500  # on a host without memory the checks go first, the worker stays


def labels(*, instance: str, claim: str = "", purpose: str = "", deadline: str = "") -> dict[str, str]:
    """``deadline`` is seconds since the epoch. Empty ones are left out."""
    found = {INSTANCE: instance, CLAIM: claim, PURPOSE: purpose, DEADLINE: deadline}
    return {key: value for key, value in found.items() if value}


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A kind of container: all in which two can differ. ``image`` is an id; ``volumes`` are (name, path, writable)."""

    image: str
    network: str
    memory_mb: int
    cpu_cores: float
    volumes: tuple[tuple[str, str, bool], ...] = ()


def container(spec: Spec, *, labels: Mapping[str, str]) -> dict[str, Any]:
    """The body of ``POST /containers/create``.

    The launcher is PID 1 itself, without ``Init``: engine's init would be a process of the script's own uid whose
    pipes the script could open, to forge answers and to keep stdin from closing. ``StopSignal`` is the one that PID 1
    cannot ignore. Secrets are not here; they travel on stdin.
    """
    return {
        "Image": spec.image,
        "User": USER,
        "WorkingDir": WORK,
        **_attached(labels),
        "HostConfig": _host_config(spec) | {"Mounts": [_mount(*item) for item in spec.volumes]},
    }


def _attached(labels: Mapping[str, str]) -> dict[str, Any]:
    """Of a container whose main process is ours: asked on its stdin, and ended with it."""
    return {
        "Cmd": [],
        "Env": [],
        "Labels": dict(labels),
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "OpenStdin": True,
        "StdinOnce": True,
        "Tty": False,
        "StopSignal": "SIGKILL",
        "Healthcheck": {"Test": ["NONE"]},
    }


def rule_container(image: str, code: str, *, labels: Mapping[str, str], remapped: bool) -> dict[str, Any]:
    """The container that sets packet rules: root, with that one capability, in the network of the engine's host.

    It runs our own code and nobody else's, and has nothing else. ``remapped``: the engine maps users away, with which
    the capability would not be one of the host's.
    """
    return {
        "Image": image,
        "User": "0:0",
        "WorkingDir": "/",
        "Entrypoint": ["python3", "-I", "-S", "-B", "-c", code],
        **_attached(labels),
        "HostConfig": {
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "CapAdd": ["NET_ADMIN"],
            "SecurityOpt": ["no-new-privileges"],
            "Privileged": False,
            "Init": False,
            "NetworkMode": "host",
            "IpcMode": "private",
            "UsernsMode": "host" if remapped else "",
            "Memory": _RULE_CONTAINER_MB * _MB,
            "MemorySwap": _RULE_CONTAINER_MB * _MB,
            "PidsLimit": 8,
            "LogConfig": {"Type": "none", "Config": {}},
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
            "AutoRemove": False,
        },
    }


@functools.cache
def system_calls() -> str:
    """The seccomp profile, which the engine takes by value only. What it does not name is refused.

    Ours, as the default of Engine 20.10 lets a script open AF_VSOCK, which no packet rule sees, and io_uring.
    """
    profile = json.loads(Path(__file__).with_name("seccomp.json").read_text(encoding="utf-8"))
    return json.dumps(profile, separators=(",", ":"))


def _host_config(spec: Spec) -> dict[str, Any]:
    return {
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges", f"seccomp={system_calls()}"],
        "Privileged": False,
        "Init": False,
        "NetworkMode": spec.network,
        "IpcMode": "private",
        "Memory": spec.memory_mb * _MB,
        "MemorySwap": spec.memory_mb * _MB,
        "NanoCpus": int(spec.cpu_cores * 1_000_000_000),
        "PidsLimit": _PIDS,
        "OomScoreAdj": _OOM_SCORE,
        "ShmSize": _SHARED_MEMORY,
        "Tmpfs": {
            WORK: _tmpfs("exec", size_mb=spec.memory_mb // 2, inodes=20_000),
            TMP: _tmpfs("noexec", size_mb=spec.memory_mb // 4, inodes=20_000),
            FILES: _tmpfs("noexec", size_mb=_FILES_MB, inodes=16),
        },
        "Ulimits": [
            {"Name": "core", "Soft": 0, "Hard": 0},
            {"Name": "nofile", "Soft": _OPEN_FILES, "Hard": _OPEN_FILES},
        ],
        "LogConfig": {"Type": "none", "Config": {}},  # what a script prints is not masked yet
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "AutoRemove": False,
    }


def _tmpfs(execution: str, *, size_mb: int, inodes: int) -> str:
    return f"rw,{execution},nosuid,nodev,size={size_mb}m,nr_inodes={inodes},uid=1000,gid=1000,mode=0700"


def _mount(name: str, path: str, writable: bool) -> dict[str, Any]:
    """An empty volume takes the owner of the image's directory only when it may be copied into."""
    return {
        "Type": "volume",
        "Source": name,
        "Target": path,
        "ReadOnly": not writable,
        "VolumeOptions": {"NoCopy": not writable},
    }
