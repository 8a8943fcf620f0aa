"""Whether the engine filters system calls by our profile: found out in a container, as an engine may ignore options."""

import gzip
import secrets

from customchecks.sandbox.request import SandboxRequest
from customchecks.sandbox.sandbox import Sandbox

REFUSED = ["EPERM", "EPERM"]
RUNTIME = "python"
_EMPTY_TAR = gzip.compress(bytes(1024))
_SECONDS = 20
# The kernel itself never answers these two with EPERM, and no engine's default profile refuses the second one.
_PROBE = """
import errno, socket
for family, kind, protocol in ((40, 1, 0), (16, 3, 12)):  # AF_VSOCK, NETLINK_NETFILTER
    try:
        socket.socket(family, kind, protocol)
        print("opened")
    except OSError as error:
        print(errno.errorcode[error.errno])
"""


def complaint(sandbox: Sandbox) -> str:
    """What is wrong; empty where the profile is in force. Needs the runner image for Python."""
    outcome = sandbox.run(
        SandboxRequest(
            runtime=RUNTIME,
            argv=("python3", "-c", _PROBE),
            archive=_EMPTY_TAR,
            claim_id=f"doctor-{secrets.token_hex(8)}",
            env={},
            timeout_seconds=_SECONDS,
            network="none",
            purpose="test",
        )
    )
    if outcome.cause or outcome.exit_code != 0:
        return outcome.message or f"The probe ended with exit code {outcome.exit_code}."
    found = outcome.stdout.decode(errors="replace").split()
    return "" if found == REFUSED else f"A script is answered {' and '.join(found)} where it has to be refused."
