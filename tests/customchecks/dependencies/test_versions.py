"""Dependencies for every runtime version: installed by its image, found by its interpreter."""

import json
import secrets
from dataclasses import replace

import pytest

from customchecks.images import current, runtimes
from customchecks.images.runtimes import Runtime
from tests.customchecks.dependencies.conftest import Box
from tests.customchecks.dependencies.test_installing import wheel
from tests.factories import tgz
from tests.security import boxes

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]

FILES = {
    "python": {"requirements.txt": "./ours-1-py3-none-any.whl\n", "ours-1-py3-none-any.whl": wheel("ours")},
    "node": {
        "package.json": '{"dependencies": {"ours": "file:./lib"}}',
        "lib/package.json": '{"name": "ours", "version": "1.0.0"}',
        "lib/index.js": "module.exports = 'ours'",
    },
}
TELL = {
    "python": "import sys, json, ours; print(json.dumps([ours.__name__, sys.version.split()[0]]))",
    "node": "console.log(JSON.stringify([require('ours'), process.version.slice(1)]))",
}


@pytest.mark.parametrize("runtime", runtimes.ROWS, ids=lambda row: row.name)
def test_a_script_finds_what_its_version_has_installed(box: Box, runtime: Runtime) -> None:
    current.build(runtime.word, progress=print)
    files = FILES[runtime.language]
    prepared = box.prepare(files, runtime=runtime.word, entrypoint=runtime.entrypoint)
    archive = tgz({**files, runtime.entrypoint: TELL[runtime.language]})
    interpreter = (prepared.interpreter,) if prepared.interpreter else runtime.interpreter
    request = replace(
        boxes.request("", network="none", volumes=prepared.volumes),
        claim_id=secrets.token_hex(8),
        runtime=runtime.word,
        argv=(*interpreter, runtime.entrypoint),
        archive=archive,
    )
    outcome = box.sandbox.run(request)
    assert outcome.exit_code == 0, (prepared, outcome)
    name, version = json.loads(outcome.stdout)
    assert name == "ours"
    assert f"{version}.".startswith(f"{runtime.version}.")
