"""Scripts as people write them, in the real sandbox: each gets the verdict that its author means."""

import io
import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from customchecks.archives import script_archive
from customchecks.checking import verdict
from customchecks.checking.runner import CustomCheckRunner
from customchecks.jobs.models import CustomCheckJob
from polling.base.results import Cause, CheckResult, Verdict
from secrets_app.masking.masker import Masker
from tests.customchecks.dependencies.conftest import Box
from tests.factories import tgz

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]

PENDING_RUN = """{
 "status": "PENDING",
 "message": "1 of 3 tasks is still running",
 "data": {"tasks": [
  {"task": "extract", "status": "SUCCESS"},
  {"task": "train", "status": "PENDING"},
  {"task": "notify", "status": "SUCCESS"}
 ]}
}"""
LOG_OF_JSON = """
const log = (fields) => console.log(JSON.stringify({ level: 30, time: Date.now(), ...fields }));
log({ status: 200, msg: "asking the API" });
console.log(JSON.stringify({ status: "SUCCESS", message: "done" }));
log({ msg: "closing the session" });
"""


@pytest.fixture(scope="module")
def runner() -> Iterator[CustomCheckRunner]:
    box = Box()
    yield CustomCheckRunner(box.sandbox)
    box.close()


def check(
    runner: CustomCheckRunner, files: str | Mapping[str, str], *, node: bool = False, **values: Any
) -> CheckResult:
    runtime, entrypoint = ("node", "index.js") if node else ("python", "main.py")
    contents = {entrypoint: files} if isinstance(files, str) else files
    job = CustomCheckJob(
        name="real", script_runtime=runtime, script_entrypoint=entrypoint, **({"timeout_seconds": 60} | values)
    )
    archive = script_archive.normalise(io.BytesIO(tgz(contents)))
    return runner.run(job, archive, env={}, masker=Masker(()), run_id=secrets.token_hex(8), purpose="test")


def printing(*values: str) -> str:
    return "\n".join(["import json", *(f"print({value})" for value in values)])


def test_a_run_with_finished_tasks_is_pending_while_one_runs(runner: CustomCheckRunner) -> None:
    result = check(runner, f"console.log('Asking for run 4711 …'); console.log({json.dumps(PENDING_RUN)});", node=True)
    assert (result.verdict, len(result.data["tasks"])) == (Verdict.PENDING, 3)


def test_an_indented_verdict_counts_behind_a_log_line(runner: CustomCheckRunner) -> None:
    said = 'json.dumps({"status": "SUCCESS", "message": "done", "data": {"rows": [1, 2]}}, indent=2)'
    result = check(runner, printing('"Checking run 17 ..."', said))
    assert (result.verdict, result.message, result.data) == (Verdict.SUCCESS, "done", {"rows": [1, 2]})


def test_log_lines_of_json_hide_no_verdict(runner: CustomCheckRunner) -> None:
    result = check(runner, LOG_OF_JSON, node=True)
    assert (result.verdict, result.message) == (Verdict.SUCCESS, "done")


def test_a_printed_dict_hides_no_verdict(runner: CustomCheckRunner) -> None:
    assert check(runner, printing('json.dumps({"status": "SUCCESS"})', '{"elapsed": 1.2}')).verdict is Verdict.SUCCESS


def test_a_printed_object_of_javascript_hides_no_verdict(runner: CustomCheckRunner) -> None:
    code = (
        'console.log(JSON.stringify({ status: "PENDING" })); console.log({ closed: true, at: { n: [1, { a: {} }] } });'
    )
    assert check(runner, code, node=True).verdict is Verdict.PENDING


def test_a_coloured_verdict_counts(runner: CustomCheckRunner) -> None:
    code = printing('"\\x1b[32m" + json.dumps({"status": "SUCCESS"}) + "\\x1b[0m"')
    assert check(runner, code).verdict is Verdict.SUCCESS


@pytest.mark.parametrize("indent", [None, 1])
def test_data_and_state_have_their_own_limits_however_they_are_printed(
    runner: CustomCheckRunner, indent: int | None
) -> None:
    said = f'{{"status": "PENDING", "data": {{"x": "č" * 30000}}, "state": {{"y": "č" * 30000}}}}, indent={indent}'
    result = check(runner, printing(f"json.dumps({said})"))
    assert result.verdict is Verdict.PENDING, result
    assert result.data == {"x": "č" * 30000}
    assert result.state == {"y": "č" * 30000}
    assert len(result.stdout) < 140_000


def test_parameters_are_variables_and_all_of_them_are_in_check_params(runner: CustomCheckRunner) -> None:
    params = {"PYTHON_ENV": "prod", "GIT_BRANCH": "main", "batch": 7, "dry": True, "runs": [1], "none": None}
    code = """
import json, os
found = {name: os.environ.get(name) for name in json.loads(os.environ["CHECK_PARAMS"])}
print(json.dumps({"status": "SUCCESS", "data": {"found": found, "all": json.loads(os.environ["CHECK_PARAMS"])}}))
"""
    found = {"PYTHON_ENV": "prod", "GIT_BRANCH": "main", "batch": "7", "dry": "true", "runs": None, "none": None}
    assert check(runner, code, check_params=params).data == {"found": found, "all": params}


def test_data_over_the_limit_are_left_out_of_a_verdict_that_counts(runner: CustomCheckRunner) -> None:
    result = check(runner, printing('json.dumps({"status": "SUCCESS", "data": {"x": "a" * 66000}})'))
    assert (result.verdict, result.data) == (Verdict.SUCCESS, {})
    assert result.message == f"[data left out: 66,008 bytes, at most {verdict.MAX_DATA:,}]"


@pytest.mark.parametrize(
    ("code", "node"),
    [
        (
            "import threading, time\n"
            "threading.Thread(target=lambda: time.sleep(600)).start()\n"
            'print(\'{"status": "SUCCESS", "message": "the run has ended"}\')',
            False,
        ),
        ("setInterval(() => {}, 1000); console.log(JSON.stringify({ status: 'SUCCESS' }));", True),
    ],
)
def test_a_verdict_of_a_process_that_does_not_end_is_told_with_what_holds_it(
    runner: CustomCheckRunner, code: str, node: bool
) -> None:
    result = check(runner, code, node=node, timeout_seconds=10)
    assert (result.verdict, result.cause) == (Verdict.ERROR, Cause.TIMEOUT)
    assert "It had printed SUCCESS, which counts only when its process ends." in result.message
    assert "open handle" in result.message
    assert "thread that is no daemon" in result.message


def test_a_script_that_hangs_without_a_verdict_is_told_nothing_of_one(runner: CustomCheckRunner) -> None:
    result = check(runner, "import time; time.sleep(600)", timeout_seconds=10)
    assert result.message == "The script was not done after 10 seconds and was ended."


@pytest.mark.parametrize(
    ("code", "node", "words"),
    [
        ("asked = {}\nasked['state']", False, "exit code 1 (KeyError: 'state')"),
        ("import sys; sys.exit('no token')", False, "exit code 1 (no token)"),
        ("print(", False, "exit code 1 (SyntaxError: '(' was never closed)"),
        ("throw new Error('boom')", True, "exit code 1 (Error: boom)"),
        ("await fetch('http://127.0.0.1:1/')", True, "exit code 1 (TypeError: fetch failed)"),
    ],
)
def test_a_script_that_fails_says_why_in_the_message(
    runner: CustomCheckRunner, code: str, node: bool, words: str
) -> None:
    files = {"index.js": code, "package.json": '{"type": "module"}'} if node else code
    result = check(runner, files, node=node)
    assert result.cause is Cause.EXIT_NONZERO
    assert words in result.message


@pytest.mark.parametrize("memory_mb", [128, 512])
def test_the_end_of_nodes_heap_is_the_end_of_the_memory(runner: CustomCheckRunner, memory_mb: int) -> None:
    code = "const held = []; while (true) held.push(new Array(1e5).fill(Math.random()));"
    result = check(runner, code, node=True, resource_limits={"memory_mb": memory_mb})
    assert result.cause is Cause.OOM
    assert f"{memory_mb} MB" in result.message


def test_the_heap_of_a_worker_of_node_is_memory_too(runner: CustomCheckRunner) -> None:
    code = """
const { Worker } = require("node:worker_threads");
const body = "const held = []; while (true) held.push(new Array(1e5).fill(Math.random()));";
new Worker(body, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 50 } });
"""
    assert check(runner, code, node=True).cause is Cause.OOM


def test_node_may_use_most_of_the_memory_of_its_job(runner: CustomCheckRunner) -> None:
    code = """
const held = [];
for (let n = 0; n < 420; n++) held.push(new Array(1e5).fill(n + 0.5));
console.log(JSON.stringify({ status: "SUCCESS", data: { held: held.length } }));
"""
    assert check(runner, code, node=True).data == {"held": 420}


def test_a_memory_error_of_python_is_the_end_of_the_memory(runner: CustomCheckRunner) -> None:
    assert check(runner, "held = bytearray(10**15)").cause is Cause.OOM


def test_a_memory_error_that_is_handled_is_none(runner: CustomCheckRunner) -> None:
    code = """
try:
    bytearray(10**15)
except MemoryError as error:
    import sys, traceback
    traceback.print_exc()
print('{"status": "SUCCESS"}')
"""
    assert check(runner, code).verdict is Verdict.SUCCESS


@pytest.mark.network
def test_the_real_printers_of_node_are_understood(runner: CustomCheckRunner) -> None:
    files = {
        "package.json": json.dumps(
            {"type": "module", "dependencies": {"pino": "^9.0.0", "json-stringify-pretty-compact": "^4.0.0"}}
        ),
        "index.js": """
import pino from "pino";
import stringify from "json-stringify-pretty-compact";
const log = pino();
log.info({ status: 200 }, "asking the API");
const tasks = ["SUCCESS", "PENDING", "SUCCESS"].map((status, n) => ({ task: `task number ${n}`, status, seconds: n }));
console.log(stringify({ status: "PENDING", message: "1 of 3 tasks is still running", data: { tasks } }));
log.info("closing the session");
""",
    }
    result = check(runner, files, node=True, timeout_seconds=120)
    assert (result.verdict, result.cause) == (Verdict.PENDING, None), result
