"""What a use of the Docker Engine may end with: apart from it, so that who catches them does not load its client.

Every message is safe to show, and ``remedy`` is a sentence.
"""

import os
import socket
from collections.abc import Iterator

LOOK = "Look at the engine's log, such as: sudo journalctl -u docker."
START = "Start Docker: sudo systemctl start docker (or: sudo service docker start)."
CONNECTION = "Look at DOCKER_HOST, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, and at the engine's log."
JOIN = "Let this user reach its socket: sudo usermod -aG docker $USER, then log in again."


class EngineError(Exception):
    """The engine refused a call."""

    def __init__(self, message: str, *, remedy: str = LOOK) -> None:
        super().__init__(message)
        self.remedy = remedy


class EngineUnavailable(EngineError):
    """The engine did not answer, or nothing that we understand."""


class EngineMismatch(EngineUnavailable):
    """The engine answers, and no version of its API is spoken by both."""


def unavailable(error: BaseException) -> EngineUnavailable:
    """Tells why a call failed by what lies below the errors of the client."""
    host = os.environ.get("DOCKER_HOST", "").strip()
    for one in chain(error):
        match one:
            case PermissionError():
                return EngineUnavailable(f"This user may not reach the Docker Engine: {one}", remedy=JOIN)
            case FileNotFoundError() | ConnectionRefusedError() | socket.gaierror():
                there = f"Start the engine at DOCKER_HOST={host}, or unset it." if host else START
                return EngineUnavailable(f"The Docker Engine does not answer: {one}", remedy=there)
            case TimeoutError():
                return EngineUnavailable(f"The Docker Engine did not answer in time: {error}")
            case ValueError():
                return EngineMismatch(f"What answers is no Docker Engine: {error}", remedy=CONNECTION)
    return EngineUnavailable(f"The Docker Engine does not answer: {error}", remedy=CONNECTION if host else LOOK)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those that it came from."""
    while error:
        yield error
        error = error.__cause__ or error.__context__
