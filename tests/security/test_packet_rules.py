"""Packet rules on machines whose firewall is reloaded, opened or somebody else's, and with users who may set none."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from customchecks.docker.engine import Engine
from customchecks.doctor import diagnosis
from customchecks.network import nftables, packet_rules
from customchecks.network.nftables import Kernel
from customchecks.sandbox.outcome import SandboxOutcome
from customchecks.sandbox.sandbox import Sandbox
from polling.base.results import Cause
from teckochecker.management.commands import serve
from tests import absent, instances, private_engine
from tests.private_engine import PrivateEngine
from tests.security import boxes

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
KNOCK = """
import os, socket
for target in os.environ["TARGETS"].split():
    host, _, port = target.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
        print("connected")
    except OSError as error:
        print(type(error).__name__)
"""
OPEN_ALL = (("-F",), ("-X",), ("-P", "FORWARD", "ACCEPT"), ("-P", "INPUT", "ACCEPT"))
ACCEPT_ALL = (("-I", "FORWARD", "1", "-j", "ACCEPT"), ("-I", "INPUT", "1", "-j", "ACCEPT"))


@pytest.fixture
def inside(own_engine: PrivateEngine) -> Iterator[PrivateEngine]:
    """Its own packet rules are as before afterwards: without some of them it makes no network."""
    with own_engine.inside():
        before = subprocess.run(["iptables-save"], capture_output=True, check=True).stdout
        yield own_engine
        subprocess.run(["iptables-restore"], input=before, check=True)


@pytest.fixture
def made(inside: PrivateEngine) -> Iterator[tuple[str, Sandbox]]:
    instance, sandbox = boxes.instance_sandbox()
    assert sandbox.run(boxes.request("print('here')")).stdout == b"here\n"
    yield instance, sandbox
    sandbox.dismantle()
    sandbox.close()


@pytest.fixture
def listener(inside: PrivateEngine) -> Iterator[int]:
    with socket.create_server(("0.0.0.0", 0)) as server:
        yield server.getsockname()[1]


def knock(sandbox: Sandbox, *targets: str) -> SandboxOutcome:
    return sandbox.run(boxes.request(KNOCK, env={"TARGETS": " ".join(targets)}))


def gateway(instance: str) -> str:
    engine = Engine()
    found: str = engine.network(f"teckochecker-{instance}")["IPAM"]["Config"][0]["Gateway"]
    engine.close()
    return found


def holds(sandbox: Sandbox) -> bool:
    network = sandbox.status().network
    return bool(network and network.rules)


def delete_table(instance: str) -> None:
    kernel = Kernel()
    kernel.remove(packet_rules.name(instance))
    kernel.close()


@contextmanager
def taken_away(instance: str) -> Iterator[None]:
    """Another process owns the table of that name, so that nobody else can change it."""
    kernel = Kernel()
    kernel.remove(packet_rules.name(instance))
    owned = nftables._encoded((1, nftables._text(packet_rules.name(instance)))) + nftables._encoded((2, b"\0\0\0\2"))
    kernel._change([(nftables._NEW_TABLE, nftables._CREATE, owned)])
    try:
        yield
    finally:
        kernel.close()  # the kernel removes what it owned


def test_a_sweep_reports_rules_that_do_not_hold_until_they_do(made: tuple[str, Sandbox]) -> None:
    instance, sandbox = made
    with taken_away(instance):
        sandbox.reap([], now=timezone.now())
        (fault,) = sandbox.condition().faults
        assert (fault.part, fault.checks_run) == ("rules", False)
    sandbox.reap([], now=timezone.now())
    condition = sandbox.condition()
    assert condition.faults == ()
    assert [place.is_dir() for place in condition.places] == [True]


def test_a_flushed_and_opened_firewall_lets_no_script_out(made: tuple[str, Sandbox], listener: int) -> None:
    instance, sandbox = made
    for words in (*OPEN_ALL, *ACCEPT_ALL):
        subprocess.run(["iptables", *words], check=True)
    assert knock(sandbox, f"{gateway(instance)}:{listener}").stdout == b"ConnectionRefusedError\n"
    assert holds(sandbox)


def test_an_engine_whose_rules_were_flushed_names_the_remedy(inside: PrivateEngine) -> None:
    for words in OPEN_ALL:
        subprocess.run(["iptables", *words], check=True)
    _, sandbox = boxes.instance_sandbox()
    outcome = sandbox.run(boxes.request("print('here')"))
    assert outcome.cause is Cause.ENGINE_UNAVAILABLE
    assert "restart" in outcome.message
    sandbox.dismantle()
    sandbox.close()


def test_checks_do_not_reach_each_other_without_the_engines_rules(made: tuple[str, Sandbox]) -> None:
    instance, sandbox = made
    for words in OPEN_ALL:
        subprocess.run(["iptables", *words], check=True)
    engine = Engine()
    serve = boxes.request("import socket; s = socket.create_server(('0.0.0.0', 9999))\nwhile True: s.accept()")
    with boxes.running(sandbox, serve, engine=engine, instance=instance) as (seen, _):
        peer = seen["NetworkSettings"]["Networks"][f"teckochecker-{instance}"]["IPAddress"]
        boxes.wait_for(lambda: _reaches(peer, 9999))
        assert knock(sandbox, f"{peer}:9999").stdout == b"ConnectionRefusedError\n"
    engine.close()


def test_deleted_rules_are_set_again_before_the_next_script_runs(made: tuple[str, Sandbox], listener: int) -> None:
    instance, sandbox = made
    delete_table(instance)
    assert not holds(sandbox)
    assert knock(sandbox, f"{gateway(instance)}:{listener}").stdout == b"ConnectionRefusedError\n"
    assert holds(sandbox)


def test_a_connection_of_the_time_without_rules_ends_with_the_next_look(made: tuple[str, Sandbox]) -> None:
    instance, sandbox = made
    code = f"""
import socket, time
while True:
    try:
        link = socket.create_connection(({gateway(instance)!r}, PORT), timeout=3)
        break
    except OSError:
        time.sleep(0.05)
while True:
    link.sendall(b"x")
    time.sleep(0.05)
"""
    engine = Engine()
    with socket.create_server(("0.0.0.0", 0)) as server:
        wanted = boxes.request(code.replace("PORT", str(server.getsockname()[1])))
        with boxes.running(sandbox, wanted, engine=engine, instance=instance):
            delete_table(instance)
            server.settimeout(20)
            link, _ = server.accept()
            link.settimeout(5)
            assert link.recv(1)
            sandbox.reap([wanted.claim_id], now=datetime.now(UTC))
            assert holds(sandbox)
            with pytest.raises(TimeoutError):
                while link.recv(4096):
                    pass
            link.close()
    engine.close()


def test_no_script_runs_while_rules_cannot_be_set(made: tuple[str, Sandbox]) -> None:
    instance, sandbox = made
    with taken_away(instance):
        outcome = sandbox.run(boxes.request("print('here')"))
        assert (outcome.cause, outcome.stdout) == (Cause.NETWORK_UNPROTECTED, b"")
        assert "doctor" in outcome.message
        assert not holds(sandbox)
        assert sandbox.run(boxes.request("print('here')", network="none")).stdout == b"here\n"
    assert sandbox.run(boxes.request("print('here')")).stdout == b"here\n"


def test_a_running_script_is_ended_when_rules_cannot_be_set_again(made: tuple[str, Sandbox]) -> None:
    instance, sandbox = made
    engine = Engine()
    wanted = boxes.request("import time; time.sleep(300)")
    with boxes.running(sandbox, wanted, engine=engine, instance=instance) as (_, outcomes), taken_away(instance):
        sandbox.reap([wanted.claim_id], now=datetime.now(UTC))
        assert boxes.wait_for(lambda: outcomes)[0].cause is Cause.NETWORK_UNPROTECTED
    engine.close()


def test_the_operators_word_lets_scripts_run_without_rules(made: tuple[str, Sandbox]) -> None:
    instance, _ = made
    sandbox = Sandbox(instance=instance, unprotected_allowed=True)
    with taken_away(instance):
        assert sandbox.run(boxes.request("print('here')")).stdout == b"here\n"
        assert "packet rules" in sandbox.protect()
    sandbox.close()


@pytest.mark.django_db
def test_the_start_and_doctor_say_that_rules_cannot_be_set(made: tuple[str, Sandbox], settings: Any) -> None:
    settings.TECKO_INSTANCE, _ = made
    with taken_away(settings.TECKO_INSTANCE):
        (line,) = serve.exposures()
        assert "No script runs." in line
        found = {finding.name: finding for finding in diagnosis._sandbox()}
    assert (found["network"].level, "nf_tables" in found["network"].remedy) == (diagnosis.Level.FAILED, True)


def test_packets_between_checks_are_filtered_again_where_that_was_switched_off(made: tuple[str, Sandbox]) -> None:
    _, sandbox = made
    switch = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    switch.write_text("0")
    assert not holds(sandbox)
    assert sandbox.run(boxes.request("print('here')")).cause is None
    assert (switch.read_text(), holds(sandbox)) == ("1\n", True)


def test_a_network_with_ipv6_is_no_way_out(inside: PrivateEngine) -> None:
    instance, sandbox = boxes.instance_sandbox()
    wanted = {
        "Name": f"teckochecker-{instance}",
        "EnableIPv6": True,
        "IPAM": {"Config": [{"Subnet": "fd00:7ec0::/64"}]},
        "Options": {"com.docker.network.bridge.name": f"tck-{instance[:8]}"},
    }
    inside.ask("POST", "/networks/create", [json.dumps(wanted).encode()])
    open_to_all = Sandbox(instance=instance, unprotected_allowed=True)
    with socket.create_server(("::", 0), family=socket.AF_INET6) as server:
        target = f"fd00:7ec0::1:{server.getsockname()[1]}"
        with taken_away(instance):
            assert knock(open_to_all, target).stdout == b"connected\n"
        assert knock(sandbox, target).stdout in (b"ConnectionRefusedError\n", b"TimeoutError\n", b"OSError\n")
    for one in (open_to_all, sandbox):
        one.dismantle()
        one.close()


def test_rules_of_an_earlier_version_are_removed(made: tuple[str, Sandbox]) -> None:
    instance, sandbox = made
    chain = f"TECKO-{instance[:8]}"
    jump = ["-i", f"tck-{instance[:8]}", "-j"]
    for words in (
        ["-N", "DOCKER-USER"],
        ["-N", chain],
        ["-N", f"{chain}-IN"],
        ["-I", "DOCKER-USER", "1", *jump, chain],
        ["-I", "INPUT", "1", *jump, f"{chain}-IN"],
    ):
        subprocess.run(["iptables", *words], check=words[0] != "-N", capture_output=True)
    delete_table(instance)
    sandbox.run(boxes.request("print('here')"))
    assert chain not in subprocess.run(["iptables", "-S"], capture_output=True, text=True, check=True).stdout


def test_dismantling_removes_the_rules(inside: PrivateEngine) -> None:
    instance, sandbox = boxes.instance_sandbox()
    sandbox.run(boxes.request("print('here')"))
    assert _has_table(instance)
    sandbox.dismantle()
    sandbox.close()
    assert not _has_table(instance)


def test_a_look_at_rules_that_nobody_has_changed_costs_almost_nothing(
    made: tuple[str, Sandbox], record_property: Any
) -> None:
    _, sandbox = made
    began = time.process_time()
    for _ in range(100):
        sandbox._network.ensure()
    milliseconds = (time.process_time() - began) * 10
    record_property("measured", f"A look at packet rules before a start takes {milliseconds:.2f} ms of CPU.")
    assert milliseconds < 3


# Who may not set rules

USERS_CODE = """
import ctypes, json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django
django.setup()
from customchecks.docker.engine import Engine
from customchecks.images import current
from customchecks.sandbox.sandbox import Sandbox
from tests.security import boxes
from tests.security.test_packet_rules import KNOCK
instance, group, target = sys.argv[1:]
image = current.current("python", engine=Engine())
# The checkout may lie in a folder of root's: all that is kept of root is to read what it may read
libc, dac_read_search = ctypes.CDLL(None), 1 << 2
libc.prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
os.setgroups([int(group)])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
header, kept = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(dac_read_search, dac_read_search)
assert libc.capset(header, kept) == 0
sandbox = Sandbox(instance=instance, find_image=lambda runtime: image)
outcome = sandbox.run(boxes.request(KNOCK, env={"TARGETS": target}))
network = sandbox.status().network
rule_container = sandbox._engine.inspect(sandbox._network.rule_container)
said = [outcome.stdout.decode(), outcome.message, network.rules, network.message, rule_container["HostConfig"]]
print(json.dumps(said), flush=True)
sandbox._engine.kill(sandbox._network.rule_container)
print(json.dumps(sandbox.run(boxes.request("print('here')")).stdout.decode()), flush=True)
input()
sandbox.dismantle()
sandbox.close()
"""


def test_rules_hold_for_a_user_of_dockers_group(inside: PrivateEngine, listener: int) -> None:
    instance = instances.new()
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", USERS_CODE, instance, str(inside.group), f"172.17.0.1:{listener}"]
    with subprocess.Popen(
        words, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        said, message, rules, complaint, config = json.loads(process.stdout.readline())
        assert (said, message, rules, complaint) == ("ConnectionRefusedError\n", "", True, "")
        assert json.loads(process.stdout.readline()) == "here\n"  # with another one than that which has ended
        assert _has_table(instance)
        kept = {key: config[key] for key in ("CapAdd", "CapDrop", "NetworkMode", "ReadonlyRootfs", "Privileged")}
        assert kept == {
            "CapAdd": ["NET_ADMIN"],
            "CapDrop": ["ALL"],
            "NetworkMode": "host",
            "ReadonlyRootfs": True,
            "Privileged": False,
        }
        assert not config["Binds"] and not config.get("Mounts")
        process.stdin.write("\n")
        process.stdin.close()
    assert process.returncode == 0
    assert not _has_table(instance)


# Engines that keep their rules elsewhere, or none at all


@pytest.fixture(scope="module", params=["iptables-legacy", "no iptables"])
def strange_engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    options, environ = ["--iptables=false"], {}
    if request.param == "iptables-legacy":
        programs = tmp_path_factory.mktemp("legacy")
        if not shutil.which("iptables-legacy"):
            absent.say("There is no iptables-legacy.")
        for program in ("iptables", "ip6tables"):
            (programs / program).symlink_to(str(shutil.which(f"{program}-legacy")))
        options, environ = [], {"PATH": f"{programs}:{os.environ['PATH']}"}
    with private_engine.started(*options, environ=environ) as found:
        yield found


def test_rules_hold_whatever_the_engines_own_are(strange_engine: PrivateEngine) -> None:
    with strange_engine.inside(), socket.create_server(("0.0.0.0", 0)) as server:
        instance, sandbox = boxes.instance_sandbox()
        assert sandbox.run(boxes.request("print('here')")).stdout == b"here\n"
        assert knock(sandbox, f"{gateway(instance)}:{server.getsockname()[1]}").stdout == b"ConnectionRefusedError\n"
        sandbox.dismantle()
        sandbox.close()


def _reaches(host: str, port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection((host, port), timeout=2).close()
        return True
    return False


def _has_table(instance: str) -> bool:
    kernel = Kernel()
    try:
        return bool(kernel._ask(nftables._GET_TABLE, nftables._name(1, packet_rules.name(instance))))
    except FileNotFoundError:
        return False
    finally:
        kernel.close()
