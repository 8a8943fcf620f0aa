"""``build-images`` and ``doctor``, as processes."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from polling.sweep.models import SweepLease
from polling.sweep.sweeper import this_host
from secrets_app.models import Secret
from tests.customchecks.cli.conftest import Cli, Ended

Here = Callable[..., Ended]
NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}


def results(ended: Ended) -> dict[str, str]:
    return {finding["name"]: finding["level"] for finding in ended.json["findings"]}


@pytest.mark.engine
def test_build_images_says_at_once_that_they_are_current(cli: Cli) -> None:
    ended = cli("build-images", "--json")
    assert ended.code == 0
    assert ended.json.keys() >= {"python", "node"}
    assert "The image is current" in ended.err


@pytest.mark.engine
def test_build_images_can_look_at_one_runtime(cli: Cli) -> None:
    assert cli("build-images", "--runtime", "node").out.startswith("node\tsha256:")


def test_build_images_without_an_engine_ends_with_its_own_code(cli: Cli) -> None:
    ended = cli("build-images", **NO_ENGINE)
    assert ended.code == 5
    assert ended.err.startswith("EngineUnavailable: ")


@pytest.mark.engine
def test_doctor_is_content_with_a_whole_installation(cli: Cli) -> None:
    SweepLease.objects.create(host=this_host(), heartbeat_at=timezone.now())
    ended = cli("doctor", "--json")
    found = results(ended)
    assert (ended.code, ended.json["ok"]) == (0, True)
    assert {found[name] for name in ("engine", "image python", "image node", "database", "secrets", "sweep")} == {"ok"}


@pytest.mark.engine
def test_doctor_tries_the_seccomp_profile_in_a_container(here: Here) -> None:
    findings = {finding["name"]: finding for finding in here("doctor", "--json").json["findings"]}
    assert findings["seccomp"]["level"] == "ok"
    assert "tried in a container" in findings["seccomp"]["detail"]


def test_doctor_without_an_engine_ends_with_its_own_code(cli: Cli) -> None:
    ended = cli("doctor", **NO_ENGINE)
    assert ended.code == 5
    assert "engine\tfailed\t" in ended.out
    assert "engine: Start the engine at DOCKER_HOST" in ended.err


def test_doctor_says_which_address_an_index_has_that_checks_may_not_reach(cli: Cli) -> None:
    findings = cli("doctor", "--json", TECKO_PIP_INDEX_URL="https://10.1.2.3/simple", TECKO_EGRESS_ALLOW="").json
    found = next(finding for finding in findings["findings"] if finding["name"] == "package indexes")
    assert found["level"] == "warning"
    assert "TECKO_EGRESS_ALLOW=10.1.2.3" in found["remedy"]


def test_doctor_runs_in_spite_of_a_broken_setting(cli: Cli) -> None:
    ended = cli("doctor", "--json", TECKO_EGRESS_ALLOW="not-a-network")
    assert ended.code == 1
    assert results(ended)["teckochecker.E004"] == "failed"


def test_every_other_command_says_which_setting_is_broken(cli: Cli) -> None:
    ended = cli("list", TECKO_EGRESS_ALLOW="not-a-network")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert ended.err.startswith("Failed: TECKO_EGRESS_ALLOW names 'not-a-network'")


@pytest.mark.engine
def test_doctor_fails_when_a_secret_cannot_be_read(here: Here) -> None:
    Secret.objects.create(name="lost", ciphertext="v1:gone:AAAA")
    ended = here("doctor", "--json")
    assert (ended.code, results(ended)["secrets"]) == (1, "failed")


@pytest.mark.engine
@pytest.mark.parametrize("seconds", [None, 60])
def test_doctor_warns_of_a_sweep_that_is_not_seen(seconds: int | None, here: Here) -> None:
    if seconds:
        SweepLease.objects.create(host=this_host(), heartbeat_at=timezone.now() - timedelta(seconds=seconds))
    ended = here("doctor", "--json")
    assert (ended.code, results(ended)["sweep"]) == (0, "warning")


def test_doctor_fails_without_tables(cli: Cli, tmp_path: object) -> None:
    ended = cli("doctor", "--json", DATABASE_URL=f"sqlite:///{tmp_path}/empty.sqlite3", **NO_ENGINE)
    assert results(ended)["database"] == "failed"
    assert "Run manage.py prepare." in {finding["remedy"] for finding in ended.json["findings"]}


def test_build_images_names_the_runtimes_that_there_are(cli: Cli) -> None:
    ended = cli("build-images", "--runtime", "ruby")
    assert ended.code == 4
    assert "python-3.13" in ended.err
