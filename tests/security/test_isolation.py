"""What a container is allowed, as the engine sees it and as a script inside it finds it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from customchecks.docker import hardening
from customchecks.docker.engine import Engine
from customchecks.sandbox.sandbox import Sandbox
from tests.security import boxes

pytestmark = pytest.mark.engine

PROBE = (boxes.HERE / "probe.py").read_text()
CANARY = "canary-7f3c91d2aa"


def test_the_whole_host_config_is_the_golden_one(sandbox: Sandbox, engine: Engine, instance: str) -> None:
    wanted = boxes.request("import time; time.sleep(60)")
    with boxes.running(sandbox, wanted, engine=engine, instance=instance) as (seen, _):
        assert _comparable(seen["HostConfig"], instance) == _golden()


def test_a_job_that_asks_for_more_processors_than_there_are_gets_all_of_them(
    sandbox: Sandbox, engine: Engine, instance: str
) -> None:
    wanted = boxes.request("import time; time.sleep(60)", cpu_cores=1000)
    with boxes.running(sandbox, wanted, engine=engine, instance=instance) as (seen, _):
        assert seen["HostConfig"]["NanoCpus"] == engine.info()["NCPU"] * 1_000_000_000


def test_the_engine_masks_at_least_the_kernel_files_it_masked_in_20_10(
    sandbox: Sandbox, engine: Engine, instance: str
) -> None:
    wanted = boxes.request("import time; time.sleep(60)")
    with boxes.running(sandbox, wanted, engine=engine, instance=instance) as (seen, _):
        assert {"/proc/kcore", "/proc/keys", "/proc/timer_list"} <= set(seen["HostConfig"]["MaskedPaths"])
        assert {"/proc/sys", "/proc/sysrq-trigger"} <= set(seen["HostConfig"]["ReadonlyPaths"])


def test_inspect_shows_no_secret(sandbox: Sandbox, engine: Engine, instance: str) -> None:
    wanted = boxes.request("import os, time; print(len(os.environ['TOKEN'])); time.sleep(60)", env={"TOKEN": CANARY})
    with boxes.running(sandbox, wanted, engine=engine, instance=instance) as (seen, _):
        assert CANARY not in json.dumps(seen)
        assert not [word for word in seen["Config"]["Env"] if word.startswith("TOKEN")]


def test_the_script_gets_the_secret(sandbox: Sandbox) -> None:
    assert sandbox.run(boxes.request("import os; print(os.environ['TOKEN'])", env={"TOKEN": CANARY})).stdout == (
        f"{CANARY}\n".encode()
    )


def test_a_script_has_no_privileges(sandbox: Sandbox) -> None:
    found = _probe(sandbox)
    assert found["uid"] == [1000, 1000, 1000]
    assert found["groups"] in ([], [1000])
    assert set(found["caps"]) == {"0" * 16}
    assert (found["no_new_privs"], found["seccomp"]) == ("1", "2")


def test_a_script_writes_to_the_intended_places_only(sandbox: Sandbox) -> None:
    found = _probe(sandbox)
    assert found["root_is_read_only"]
    assert found["writable"] == ["/dev/mqueue", "/dev/shm", "/run/tecko", "/tmp", "/work"]


def test_a_script_sees_no_process_but_the_launcher_which_it_cannot_open(sandbox: Sandbox) -> None:
    found = _probe(sandbox)
    assert found["other_processes"] == []
    assert found["launcher_opened"] == []


def test_a_script_gets_the_documented_environment_only(sandbox: Sandbox) -> None:
    env = _probe(sandbox, env={"MINE": "1"})["env"]
    assert {name: env[name] for name in env if name != "PATH"} == {
        "HOME": "/work",
        "LANG": "C.UTF-8",
        "MINE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def test_native_modules_load_from_the_work_folder_only(sandbox: Sandbox) -> None:
    code = """
import shutil, subprocess
for folder in ("/work", "/tmp", "/dev/shm"):
    shutil.copy("/bin/true", folder + "/program")
    try:
        print(folder, subprocess.run([folder + "/program"]).returncode)
    except PermissionError:
        print(folder, "refused")
"""
    outcome = sandbox.run(boxes.request(code))
    assert outcome.stdout.decode().split("\n")[:3] == ["/work 0", "/tmp refused", "/dev/shm refused"]


def test_without_a_network_there_is_the_loopback_only(sandbox: Sandbox) -> None:
    code = "import os; print(sorted(os.listdir('/sys/class/net')))"
    assert sandbox.run(boxes.request(code, network="none")).stdout == b"['lo']\n"


@pytest.fixture
def volume(sandbox: Sandbox, engine: Engine, instance: str) -> Iterator[str]:
    name = f"teckochecker-{instance}-volume"
    sandbox.volumes.create(name)
    yield name
    assert sandbox.settle(seconds=2)
    sandbox.volumes.remove(name)
    assert engine.volumes(hardening.labels(instance=instance)) == []


def test_a_volume_is_filled_by_one_container_and_only_read_by_the_next(sandbox: Sandbox, volume: str) -> None:
    write = "open('/deps/file', 'w').write('kept')"
    filled = sandbox.run(boxes.request(write, volumes=((volume, "/deps", True),), purpose="install"))
    read = sandbox.run(boxes.request("print(open('/deps/file').read())", volumes=((volume, "/deps", False),)))
    changed = sandbox.run(boxes.request(write, volumes=((volume, "/deps", False),)))
    assert (filled.exit_code, read.stdout, changed.exit_code) == (0, b"kept\n", 1)


def _probe(sandbox: Sandbox, **values: Any) -> dict[str, Any]:
    outcome = sandbox.run(boxes.request(PROBE, **values))
    assert outcome.cause is None, outcome
    found: dict[str, Any] = json.loads(outcome.stdout)
    return found


def _golden() -> Any:
    return json.loads((boxes.HERE / "golden_host_config.json").read_text())


def _comparable(config: dict[str, Any], instance: str) -> dict[str, Any]:
    """Without what is empty or off, as engines differ in naming it, and without the engine's own lists.

    The seccomp profile stands there by its name only; it has tests of its own.
    """
    for name in ("MaskedPaths", "ReadonlyPaths"):
        del config[name]
    found = {key: value for key, value in config.items() if value not in (None, "", 0, False, [], {}, [0, 0])}
    assert found.pop("CgroupnsMode", "host") in ("host", "private")  # by the host's version of cgroups
    found["SecurityOpt"] = [option.replace(hardening.system_calls(), "PROFILE") for option in found["SecurityOpt"]]
    return json.loads(json.dumps(found).replace(instance, "INSTANCE"))
