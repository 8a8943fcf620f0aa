"""Jobs whose scripts have dependencies: what is accepted, what a check does with them, what the job shows."""

import io
import secrets
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone

from customchecks.archives import script_archive
from customchecks.checking.failures import CheckFailed
from customchecks.checking.runner import CustomCheckRunner
from customchecks.jobs import service
from customchecks.jobs.models import CustomCheckJob, DependencySet
from polling.base.results import Cause, CheckResult, Verdict
from polling.jobs.scheduling import Claim
from secrets_app.masking.masker import Masker
from tests import absent
from tests.customchecks.dependencies.conftest import Box
from tests.factories import tgz

pytestmark = pytest.mark.django_db(transaction=True)

SPYING = """import os, socket, sys
print(*(f"{name}={value}" for name, value in os.environ.items()), sep="\\n", file=sys.stderr)
try:
    socket.create_connection(("10.0.0.1", 80), timeout=5)
except OSError:
    print("refused: 10.0.0.1", file=sys.stderr)
sys.exit("not today")
"""
SCRIPT = 'import iniconfig\nprint(\'{"status": "PENDING"}\')\n'
NODE_SCRIPT = 'require("is-number"); console.log(\'{"status": "PENDING"}\')\n'


@pytest.fixture
def runner(box: Box) -> Iterator[CustomCheckRunner]:
    yield CustomCheckRunner(box.sandbox)


def job_with(requirements: str, **values: object) -> CustomCheckJob:
    return job_of({"main.py": SCRIPT, "requirements.txt": requirements}, **values)


def job_of(files: Mapping[str, str], **values: object) -> CustomCheckJob:
    archive = script_archive.normalise(io.BytesIO(tgz(files)))
    data = {"name": "job", "script_source_type": "upload", "script_runtime": "python", **values}
    user = User.objects.create_superuser(secrets.token_hex(4))
    return service.create_job(data, archive=archive, user=user)


def check(runner: CustomCheckRunner, job: CustomCheckJob) -> CheckResult:
    now = timezone.now()
    claim = Claim(CustomCheckJob, job.pk, uuid.uuid4(), uuid.uuid4(), None, claimed_at=now, due_at=now)
    return runner.check(CustomCheckJob.objects.get(pk=job.pk), claim)


@pytest.mark.engine
@pytest.mark.network
def test_a_check_finds_its_dependencies_and_the_job_shows_them(runner: CustomCheckRunner) -> None:
    job = job_with("iniconfig\n")
    first, second = check(runner, job), check(runner, job)
    job.refresh_from_db()
    assert (first.verdict, second.verdict) == (Verdict.PENDING, Verdict.PENDING), first
    assert "install" in first.timings
    assert "iniconfig" in first.install_log
    assert "install" not in second.timings
    assert second.install_log == ""
    assert job.dependencies is not None
    assert job.dependencies["state"] == "ready"


@contextmanager
def network_off(box: Box) -> Iterator[None]:
    """Of all checks and installations of the instance."""
    bridge = f"tck-{box.instance[:8]}"
    if subprocess.run(["ip", "link", "set", bridge, "down"], check=False).returncode:
        absent.say("only root may take a network down")
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "set", bridge, "up"], check=True)


@pytest.mark.engine
@pytest.mark.network
@pytest.mark.parametrize(
    ("runtime", "files"),
    [
        ("python", {"main.py": SCRIPT, "requirements.txt": "iniconfig\n"}),
        ("node", {"index.js": NODE_SCRIPT, "package.json": '{"dependencies": {"is-number": "7"}}'}),
    ],
)
def test_a_second_check_with_unchanged_requirements_needs_no_network(
    runner: CustomCheckRunner, box: Box, runtime: str, files: dict[str, str], settings: Any
) -> None:
    job = job_of(files, script_runtime=runtime)
    assert check(runner, job).verdict is Verdict.PENDING
    with network_off(box):
        second = check(runner, job)
        settings.TECKO_DEPS_INSTALL_SECONDS = 8
        changed = check(runner, job_with("iniconfig<2\n"))
    assert second.verdict is Verdict.PENDING, second
    assert changed.cause is Cause.DEPS_FAILED  # so it was off


@pytest.mark.engine
@pytest.mark.network
def test_the_check_that_caused_a_failed_installation_keeps_its_log(runner: CustomCheckRunner) -> None:
    job = job_with("iniconfig==999.0\n")
    first, second = check(runner, job), check(runner, job)
    job.refresh_from_db()
    assert first.cause is second.cause is Cause.DEPS_FAILED
    assert "999.0" in first.stderr
    assert second.stderr == ""
    assert job.dependencies is not None
    assert "999.0" in job.dependencies["error"]


@pytest.mark.engine
@pytest.mark.network
def test_a_job_is_due_at_once_when_the_setting_that_its_installation_failed_for_is_corrected(
    runner: CustomCheckRunner, box: Box, settings: Any
) -> None:
    right, settings.TECKO_PIP_INDEX_URL = settings.TECKO_PIP_INDEX_URL, "https://index.invalid/simple"
    job = job_with("iniconfig\n")
    assert check(runner, job).cause is Cause.DEPS_FAILED
    later = timezone.now() + timedelta(hours=1)
    CustomCheckJob.objects.filter(pk=job.pk).update(next_check_at=later, consecutive_errors=4)

    CustomCheckRunner(box.sandbox).reap(())  # as after a start without a change
    job.refresh_from_db()
    assert job.next_check_at == later

    settings.TECKO_PIP_INDEX_URL = right
    restarted = CustomCheckRunner(box.sandbox)
    restarted.reap(())
    job.refresh_from_db()
    assert job.next_check_at < timezone.now()
    assert check(restarted, job).verdict is Verdict.PENDING


@pytest.mark.engine
@pytest.mark.network
def test_what_a_package_executes_while_it_is_built_sees_no_secret(runner: CustomCheckRunner) -> None:
    """``printenv`` in the sources; the masker knows nothing, so nothing but its absence hides the secret."""
    files = {"main.py": SCRIPT, "requirements.txt": "./package\n", "package/setup.py": SPYING}
    archive = script_archive.normalise(io.BytesIO(tgz(files)))
    job = CustomCheckJob(script_runtime="python", script_entrypoint="main.py", allow_source_builds=True)
    with pytest.raises(CheckFailed) as failed:
        runner.run(job, archive, env={"TOKEN": "hunter2hunter2"}, masker=Masker(()), run_id=secrets.token_hex(8))
    assert "UV_CACHE_DIR=" in failed.value.stderr
    assert "refused: 10.0.0.1" in failed.value.stderr
    assert "hunter2" not in failed.value.stderr


@pytest.mark.parametrize("line", ["-e git+ssh://git@example.com/x.git", "-r /etc/passwd", "x @ https://10.0.0.1/x.whl"])
def test_a_hostile_manifest_is_refused_when_it_is_uploaded(line: str) -> None:
    with pytest.raises(ValidationError) as refused:
        job_with(line)
    assert set(refused.value.error_dict) == {"script"}


def test_a_folder_is_accepted_where_the_job_allows_to_build_it() -> None:
    files = {"main.py": SCRIPT, "requirements.txt": "./package\n", "package/setup.py": ""}
    with pytest.raises(ValidationError):
        job_of(files)
    assert job_of(files, allow_source_builds=True).allow_source_builds


def test_a_job_shows_no_dependencies_that_are_gone() -> None:
    job = job_with("iniconfig\n")
    job.record_dependencies("k")
    assert job.dependencies is None
    DependencySet.objects.create(key="k", engine="e", runtime="python", state="installing", volume="v")
    assert job.dependencies == {"key": "k", "state": "installing", "size": 0, "last_used_at": None, "error": ""}
