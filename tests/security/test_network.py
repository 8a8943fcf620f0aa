"""Where a script's packets may go. What must not be reached is reached from elsewhere first, so that it is there."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.conf import settings
from pip._internal.models.index import PyPI

from customchecks.docker.engine import Engine, EngineError
from customchecks.network.bridge import EgressNetwork
from customchecks.sandbox.sandbox import Sandbox
from tests import absent, instances
from tests.security import boxes

pytestmark = pytest.mark.engine

PROBE = (boxes.HERE / "probe.py").read_text()
PEER_PORT = 9999
SUBNET = "10.213.77.0/24"
PEER = f"""
import socket
server = socket.create_server(("0.0.0.0", {PEER_PORT}))
while True:
    server.accept()[0].close()
"""


@pytest.fixture
def rules(sandbox: Sandbox) -> None:
    """Only root may set packet rules, and what is promised without them is that nobody claims them."""
    sandbox.run(boxes.request("print('the network is made with the first check')"))
    network = sandbox.status().network
    assert network
    if not network.rules:
        absent.say(network.message)


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("0.0.0.0", 0)) as server:
        yield server.getsockname()[1]


def test_a_script_reaches_no_port_of_the_host(rules: None, sandbox: Sandbox, listener: int) -> None:
    targets = [f"{address}:{listener}" for address in _host_addresses()]
    assert {target: _reach(target) for target in targets} == dict.fromkeys(targets, True)
    assert "connected" not in _targets(sandbox, targets).values()


def test_a_script_does_not_reach_another_check(rules: None, sandbox: Sandbox, engine: Engine, instance: str) -> None:
    with _peer(sandbox, engine, instance) as target:
        assert _targets(sandbox, [target])[target] != "connected"


def test_a_script_does_not_reach_another_instance(rules: None, sandbox: Sandbox, engine: Engine) -> None:
    other, neighbour = boxes.instance_sandbox()
    try:
        with _peer(neighbour, engine, other) as target:
            assert _targets(sandbox, [target])[target] != "connected"
    finally:
        neighbour.dismantle()
        neighbour.close()


def test_a_script_is_refused_metadata_and_private_networks_at_once(rules: None, sandbox: Sandbox) -> None:
    targets = ["169.254.169.254:80", "168.63.129.16:80", "10.99.98.97:443", "172.31.255.1:22", "100.100.100.200:80"]
    assert _targets(sandbox, targets) == dict.fromkeys(targets, "ConnectionRefusedError")


@pytest.mark.network
def test_a_script_resolves_names_and_reaches_the_package_index(rules: None, sandbox: Sandbox) -> None:
    host = PyPI.netloc
    found = _probe(sandbox, TARGETS=f"{host}:443", NAMES=host)
    assert found["names"] == {host: socket.gethostbyname(host)}
    assert found["targets"] == {f"{host}:443": "connected"}


@pytest.mark.network
@pytest.mark.parametrize(
    ("runtime", "code"),
    [
        ("python", "import urllib.request; print(urllib.request.urlopen('URL').status)"),
        ("node", "fetch('URL').then(response => console.log(response.status))"),
    ],
)
def test_a_script_trusts_the_operators_ca_bundle(runtime: str, code: str) -> None:
    bundle = Path(settings.TECKO_CA_BUNDLE).read_bytes() if settings.TECKO_CA_BUNDLE else b""
    _, sandbox = boxes.instance_sandbox(ca_bundle=bundle)
    outcome = sandbox.run(boxes.request(code.replace("URL", f"{PyPI.simple_url}/pip/"), runtime=runtime))
    sandbox.dismantle()
    sandbox.close()
    assert outcome.stdout == b"200\n", outcome


def test_reap_sets_the_rules_again(rules: None) -> None:
    _, sandbox = boxes.instance_sandbox()
    try:
        sandbox.reap([], now=datetime.now(UTC))
        assert _rules_in_force(sandbox)
    finally:
        sandbox.dismantle()
        sandbox.close()


def test_dismantling_one_instance_leaves_the_other(rules: None, sandbox: Sandbox) -> None:
    _, neighbour = boxes.instance_sandbox()
    neighbour.run(boxes.request("print('here')"))
    neighbour.dismantle()
    neighbour.close()
    assert _rules_in_force(sandbox)
    assert sandbox.run(boxes.request("print('here')")).stdout == b"here\n"


def test_a_network_that_was_removed_is_made_again(sandbox: Sandbox, engine: Engine, instance: str) -> None:
    sandbox.run(boxes.request("print('here')"))
    assert sandbox.settle(seconds=2)
    engine.remove_network(f"teckochecker-{instance}")
    assert sandbox.run(boxes.request("print('here')")).stdout == b"here\n"


def test_checks_have_addresses_of_the_operators_subnet(engine: Engine) -> None:
    made = EgressNetwork(engine, instance=instances.new(), subnet=SUBNET)
    made.ensure()
    try:
        assert engine.network(made.name)["IPAM"]["Config"][0]["Subnet"] == SUBNET
    finally:
        assert made.remove()


def test_without_a_free_address_range_the_remedy_is_said(engine: Engine) -> None:
    first = EgressNetwork(engine, instance=instances.new(), subnet=SUBNET)
    first.ensure()
    try:
        with pytest.raises(EngineError, match="TECKO_SUBNET"):
            EgressNetwork(engine, instance=instances.new(), subnet=SUBNET).ensure()
    finally:
        assert first.remove()


def _rules_in_force(sandbox: Sandbox) -> bool:
    network = sandbox.status().network
    return bool(network and network.rules)


def _host_addresses() -> list[str]:
    found = [
        item.address for items in psutil.net_if_addrs().values() for item in items if item.family == socket.AF_INET
    ]
    return [address for address in found if not address.startswith("127.")]


@contextmanager
def _peer(sandbox: Sandbox, engine: Engine, instance: str) -> Iterator[str]:
    """A check that listens, as "address:port"; the host reaches it."""
    with boxes.running(sandbox, boxes.request(PEER), engine=engine, instance=instance) as (seen, _):
        address = seen["NetworkSettings"]["Networks"][f"teckochecker-{instance}"]["IPAddress"]
        target = f"{address}:{PEER_PORT}"
        boxes.wait_for(lambda: _reach(target))
        yield target


def _reach(target: str) -> bool:
    host, _, port = target.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=4).close()
    except OSError:
        return False
    return True


def _targets(sandbox: Sandbox, targets: list[str]) -> dict[str, str]:
    return dict(_probe(sandbox, TARGETS=" ".join(targets))["targets"])


def _probe(sandbox: Sandbox, **env: str) -> dict[str, Any]:
    outcome = sandbox.run(boxes.request(PROBE, env=env))
    assert outcome.cause is None, outcome
    found: dict[str, Any] = json.loads(outcome.stdout)
    return found
