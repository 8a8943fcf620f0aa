"""The seccomp profile: what a script's kernel refuses, and that Python, Node and their installers do not miss it."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from customchecks.docker import hardening
from customchecks.docker.engine import Engine
from customchecks.sandbox.sandbox import Sandbox
from tests.security import boxes

pytestmark = pytest.mark.engine

PROBE = (boxes.HERE / "system_calls.py").read_text()

PYTHON = """
import asyncio, concurrent.futures as futures, multiprocessing, os, socket, sqlite3, subprocess, tempfile

def square(number):
    return number * number

def main():
    print(subprocess.run(["sh", "-c", "echo child | cat"], capture_output=True, text=True).stdout.strip())
    with futures.ThreadPoolExecutor(4) as pool:
        print(sum(pool.map(square, range(4))))
    for method in ("fork", "spawn", "forkserver"):
        with futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
            print(method, sum(pool.map(square, range(4))))
    print(asyncio.run(asyncio.sleep(0.01, "slept")))
    left, right = socket.socketpair()
    left.sendall(b"pair")
    print(right.recv(4).decode())
    with tempfile.NamedTemporaryFile() as file:
        print(sqlite3.connect(file.name).execute("select 1").fetchone()[0])
    os.mkfifo("/work/pipe")
    print(bool(socket.if_nameindex()), bool(os.urandom(4)))

if __name__ == "__main__":
    main()
"""

NODE = """
const { Worker } = require("node:worker_threads");
const { execFileSync } = require("node:child_process");
const http = require("node:http");
const fs = require("node:fs");
const os = require("node:os");
console.log(execFileSync("sh", ["-c", "echo child"]).toString().trim(), Object.keys(os.networkInterfaces()).length > 0);
fs.writeFileSync("/work/file", "text");
fs.watch("/work").close();
new Worker('require("node:worker_threads").parentPort.postMessage(6 * 7)', { eval: true }).on("message", (found) => {
  console.log("worker", found);
  const server = http.createServer((_, reply) => reply.end("page")).listen(0, "127.0.0.1", async () => {
    console.log(await (await fetch(`http://127.0.0.1:${server.address().port}/`)).text());
    server.close();
    server.closeAllConnections();
  });
});
"""


UV = """
import subprocess, sys
options = ("--no-cache", "--no-config", "--only-binary", ":all:", "--target", "/work/packages")
subprocess.run(["uv", "pip", "install", "--quiet", "--python", "python3", *options, "markupsafe"], check=True)
sys.path.insert(0, "/work/packages")
import markupsafe._speedups
print("loaded")
"""

NPM = """
const { execFileSync } = require("node:child_process");
execFileSync("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "ms@2"], { stdio: "ignore" });
require("/work/node_modules/ms");
console.log("loaded");
"""


@pytest.fixture(scope="module")
def found(made: tuple[str, Sandbox]) -> dict[str, dict[str, str]]:
    outcome = made[1].run(boxes.request(PROBE))
    assert outcome.exit_code == 0, outcome
    answers: dict[str, dict[str, str]] = json.loads(outcome.stdout)
    return answers


def test_the_engine_holds_our_profile_as_it_is_in_the_file(sandbox: Sandbox, engine: Engine, instance: str) -> None:
    wanted = boxes.request("import time; time.sleep(60)")
    with boxes.running(sandbox, wanted, engine=engine, instance=instance) as (seen, _):
        options = seen["HostConfig"]["SecurityOpt"]
    assert options == ["no-new-privileges", f"seccomp={hardening.system_calls()}"]


def test_a_script_cannot_use_the_kernel_where_it_is_weakest(found: dict[str, dict[str, str]]) -> None:
    calls = found["calls"]
    assert calls.pop("clone3") == "ENOSYS"
    assert set(calls.values()) == {"EPERM"}, calls


def test_a_script_opens_no_socket_that_packet_rules_do_not_see(found: dict[str, dict[str, str]]) -> None:
    assert set(found["refused"].values()) == {"EPERM"}, found["refused"]


def test_a_script_opens_the_sockets_it_needs(found: dict[str, dict[str, str]]) -> None:
    assert set(found["open"].values()) == {"allowed"}, found["open"]


def test_python_works_under_the_profile(sandbox: Sandbox) -> None:
    outcome = sandbox.run(boxes.request(PYTHON))
    assert outcome.stdout.decode().split("\n") == [
        *("child", "14", "fork 14", "spawn 14", "forkserver 14", "slept", "pair", "1", "True True", "")
    ], outcome


def test_node_works_under_the_profile(sandbox: Sandbox) -> None:
    outcome = sandbox.run(boxes.request(NODE, runtime="node"))
    assert outcome.stdout.decode() == "child true\nworker 42\npage\n", outcome


@pytest.mark.network
@pytest.mark.parametrize(("runtime", "code"), [("python", UV), ("node", NPM)])
def test_packages_install_and_load_under_the_profile(runtime: str, code: str) -> None:
    bundle = Path(settings.TECKO_CA_BUNDLE).read_bytes() if settings.TECKO_CA_BUNDLE else b""
    indexes = {"UV_INDEX_URL": settings.TECKO_PIP_INDEX_URL, "npm_config_registry": settings.TECKO_NPM_REGISTRY}
    env = {"npm_config_cache": "/tmp/npm"} | {name: value for name, value in indexes.items() if value}
    _, sandbox = boxes.instance_sandbox(ca_bundle=bundle)
    outcome = sandbox.run(boxes.request(code, runtime=runtime, env=env))
    sandbox.dismantle()
    sandbox.close()
    assert outcome.stdout.endswith(b"loaded\n"), outcome


def test_the_profile_names_no_call_twice_and_no_machine_of_32_bits() -> None:
    profile: dict[str, Any] = json.loads(hardening.system_calls())
    plain = [name for rule in profile["syscalls"] if "args" not in rule for name in rule["names"]]
    assert len(plain) == len(set(plain))
    assert [item["subArchitectures"] for item in profile["archMap"]] == [[], []]
