"""What a sandbox is asked to run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from customchecks.sandbox import ranges


@dataclass(frozen=True, kw_only=True)
class SandboxRequest:
    """One run of an untrusted script: ``argv`` in ``/work``, where ``archive``, a validated .tgz, is unpacked.

    ``env`` may hold secrets. ``network`` is "default" or "none"; ``volumes`` are (name, path, writable); ``purpose`` is
    "check", "test" or "install".
    """

    runtime: str
    argv: tuple[str, ...]
    archive: bytes = field(repr=False)
    claim_id: str
    env: Mapping[str, str] = field(repr=False)
    timeout_seconds: int = ranges.TIMEOUT_SECONDS.default
    memory_mb: int = ranges.MEMORY_MB.default
    cpu_cores: float = ranges.CPU_CORES.default
    network: str = "default"
    volumes: tuple[tuple[str, str, bool], ...] = ()
    purpose: str = "check"

    @property
    def has_network(self) -> bool:
        return self.network != "none"

    @property
    def writes(self) -> bool:
        """Whether it can write to what outlives its container."""
        return any(writable for _, _, writable in self.volumes)
