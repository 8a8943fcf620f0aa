"""What a script learns from the engine's resolver about other checks: nothing that it does not know already."""

import json

import pytest

from customchecks.docker.engine import Engine
from customchecks.sandbox.sandbox import Sandbox
from tests.security import boxes

pytestmark = pytest.mark.engine

# /etc/hosts would answer for the own name, so the resolver is asked itself
ASK = """
import json, os, socket, struct
def ask(name):
    words = b"".join(bytes([len(word)]) + word.encode() for word in name.split("."))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(5)
        link.sendto(struct.pack(">6H", 1, 256, 1, 0, 0, 0) + words + struct.pack(">xHH", 1, 1), ("127.0.0.11", 53))
        try:
            return struct.unpack(">6H", link.recv(4096)[:12])[3]
        except TimeoutError:
            return 0
print(json.dumps({name: ask(name) for name in os.environ["NAMES"].split()}))
"""


def answers(sandbox: Sandbox, *names: str) -> dict[str, int]:
    found: dict[str, int] = json.loads(sandbox.run(boxes.request(ASK, env={"NAMES": " ".join(names)})).stdout)
    return found


def test_no_name_that_can_be_guessed_leads_to_another_check(sandbox: Sandbox, engine: Engine, instance: str) -> None:
    wanted = boxes.request("import time; time.sleep(300)")
    with boxes.running(sandbox, wanted, engine=engine, instance=instance) as (seen, _):
        (endpoint,) = seen["NetworkSettings"]["Networks"].values()
        names = {seen["Name"].removeprefix("/"), seen["Config"]["Hostname"], *(endpoint.get("Aliases") or ())}
        names |= set(endpoint.get("DNSNames") or ())
        random = {name for name in names if len(name.removeprefix("teckochecker-")) >= 12 and _hex(name)}
        assert names == random
        name = seen["Name"].removeprefix("/")
        guesses = ("sandbox", "teckochecker", wanted.claim_id)
        assert answers(sandbox, name, *guesses) == {name: 1} | dict.fromkeys(guesses, 0)


def _hex(name: str) -> bool:
    return set(name.removeprefix("teckochecker-")) <= set("0123456789abcdef")
