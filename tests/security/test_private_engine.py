"""What tests of broken firewalls and engines rely on: theirs are not this machine's."""

import os
import subprocess

import pytest

from teckochecker.setup import dockerd
from tests import private_engine
from tests.private_engine import PrivateEngine
from tests.security import boxes

pytestmark = pytest.mark.engine


def test_an_engine_of_our_own_has_a_network_of_its_own(own_engine: PrivateEngine) -> None:
    shared = dockerd.socket_path(os.environ)
    with own_engine.inside():
        instance, sandbox = boxes.instance_sandbox()
        assert sandbox.run(boxes.request("print('here')")).stdout == b"here\n"
        assert f"teckochecker-{instance}".encode() in _networks(str(own_engine.socket))
        assert f"teckochecker-{instance}".encode() not in _networks(shared)
        sandbox.dismantle()
        sandbox.close()
    own_engine.command("iptables", "-F", "FORWARD")
    assert own_engine.command("iptables", "-S", "FORWARD") == "-P FORWARD ACCEPT\n"
    there = subprocess.run(["iptables", "-S", "FORWARD"], capture_output=True, text=True, check=True).stdout
    assert "DOCKER-USER" in there


def _networks(place: str) -> bytes:
    with private_engine.answered(place, "GET", "/networks") as answer:
        return answer.read()
