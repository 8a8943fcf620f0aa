"""What ``manage.py serve`` says and sets before it starts anything."""

import contextlib
import io
from pathlib import Path
from typing import Any

import pytest

from customchecks.docker.engine import Engine, NotFound
from teckochecker.management.commands import serve
from teckochecker.ops.demo import Demo
from tests import instances


def test_the_demo_opens_its_receiver_and_no_other_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TECKO_WEBHOOK_ALLOW", ".internal.example")
    allowed = Demo(Path(), 4711).environ()["TECKO_WEBHOOK_ALLOW"]
    assert allowed == ".internal.example,127.0.0.1:4711"


@pytest.mark.engine
def test_the_start_says_that_scripts_may_run_unprotected(settings: Any) -> None:
    settings.TECKO_INSTANCE = instances.new()
    assert list(serve.exposures()) == []
    settings.TECKO_UNPROTECTED_NETWORK = True
    assert [line.partition(":")[0] for line in serve.exposures()] == ["TECKO_UNPROTECTED_NETWORK is yes"]
    with contextlib.closing(Engine()) as engine, pytest.raises(NotFound):
        engine.network(f"teckochecker-{settings.TECKO_INSTANCE}")  # only a check makes one


def test_the_hint_for_a_lost_password_names_the_home_of_another_instance(settings: Any) -> None:
    settings.TECKO_HOME = Path("/srv/two homes")
    assert "TECKO_HOME='/srv/two homes' .venv/bin/python manage.py changepassword" in serve.Command()._greeting()
    settings.TECKO_HOME = settings.BASE_DIR / "var"
    assert "(forgotten: .venv/bin/python manage.py changepassword" in serve.Command()._greeting()


def test_a_start_says_which_address_of_an_index_has_to_be_allowed(settings: Any) -> None:
    settings.TECKO_PIP_INDEX_URL, settings.TECKO_NPM_REGISTRY = "https://10.1.2.3/simple", "https://8.8.8.8/"
    settings.TECKO_EGRESS_ALLOW = []
    printed = io.StringIO()
    serve.Command(stdout=printed).look_at_indexes()
    assert "Set TECKO_EGRESS_ALLOW=10.1.2.3 in" in printed.getvalue()
    settings.TECKO_EGRESS_ALLOW = ["10.1.2.3"]
    printed.truncate(0)
    serve.Command(stdout=printed).look_at_indexes()
    assert printed.getvalue() == ""
