"""What a command loads before it does something: that is nearly all of the time that somebody waits for it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, get_args

import pytest
from django.conf import settings

from customchecks.cli.support import choices
from polling.jobs.groups import GroupStatus
from polling.jobs.scheduling import JobStatus
from polling.openai.models import STATUSES
from polling.outbox.deliveries import DeliveryStatus
from secrets_app.access import models as tokens
from secrets_app.models import Secret
from tests.customchecks.cli.conftest import Cli

HELP = [("--help",), ("create", "--help"), ("group", "restart", "--help"), ("secret", "--help"), ("no-such-command",)]
BROUGHT_BY_CHECKS = ("docker", "git", "requests", "teckochecker.urls", "rest_framework.serializers", "psycopg")


RUN = """
import atexit, gc, runpy, sys
atexit.register(lambda: print("LOADED", *sys.modules, file=sys.stderr))
atexit.register(lambda: print(f"COLLECTS {gc.isenabled()}, FROZEN {gc.get_freeze_count() > 0}", file=sys.stderr))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def loaded_by(words: tuple[str, ...], *, env: Mapping[str, str] = os.environ) -> set[str]:
    """The modules of a process of ``manage.py`` when it ends."""
    return set(told_at_the_end(words, env=env).rpartition("LOADED ")[2].split())


def told_at_the_end(words: tuple[str, ...], *, env: Mapping[str, str]) -> str:
    argv = [sys.executable, "-c", RUN, "manage.py", *words]
    environ = {**env, "PYTHONPATH": str(settings.BASE_DIR)}
    done = subprocess.run(
        argv, env=environ, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=120, check=False
    )
    return done.stderr


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("words", HELP, ids=" ".join)
def test_help_and_a_wrong_usage_need_no_django(words: tuple[str, ...]) -> None:
    assert {module for module in loaded_by(("customcheck", *words)) if module.partition(".")[0] == "django"} == set()


@pytest.mark.usefixtures("processes")
def test_the_completion_of_an_option_needs_no_django() -> None:
    modules = loaded_by(("shellcompletion", "--shell", "bash", "complete", "manage.py customcheck list --st"))
    assert not any(module.partition(".")[0] == "django" for module in modules)


def test_the_completion_of_a_name_needs_no_application(cli: Cli) -> None:
    words = ("shellcompletion", "--shell", "bash", "complete", "manage.py customcheck show n")
    modules = loaded_by(words, env=cli.env)
    assert "django.db" in modules
    assert not modules & {"customchecks.jobs.models", "polling.models", "rest_framework", "structlog"}


LISTS = [("list",), ("group", "list"), ("polling-job", "list"), ("secret", "list"), ("deps", "list")]


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_a_list_loads_only_what_it_needs(cli: Cli, words: tuple[str, ...]) -> None:
    modules = loaded_by(("customcheck", *words), env=cli.env)
    unwanted = set(BROUGHT_BY_CHECKS) - ({"psycopg"} if "postgres" in cli.env["DATABASE_URL"] else set())
    assert "customchecks.jobs.models" in modules
    assert modules & unwanted == set()


@pytest.mark.parametrize("words", [(*words, "--json") for words in LISTS[1:4]], ids=" ".join)
def test_json_is_written_without_what_describes_the_api(cli: Cli, words: tuple[str, ...]) -> None:
    modules = loaded_by(("customcheck", *words), env=cli.env)
    assert "rest_framework.serializers" in modules
    assert modules & {"drf_spectacular.utils", "django_filters", "rest_framework.views"} == set()


def test_a_command_collects_garbage_and_leaves_alone_what_was_loaded_for_it(cli: Cli) -> None:
    assert "COLLECTS True, FROZEN True" in told_at_the_end(("customcheck", "list"), env=cli.env)


def test_the_choices_of_options_are_those_of_the_models() -> None:
    known: dict[Any, list[str]] = {
        choices.Job: JobStatus.values,
        choices.PollingJob: [value for value, _ in STATUSES],
        choices.Group: GroupStatus.values,
        choices.Delivery: DeliveryStatus.values,
        choices.Scope: tokens.Scope.values,
        choices.Secret: Secret.Type.values,
    }
    assert {option: sorted(get_args(option)) for option in known} == {o: sorted(v) for o, v in known.items()}
    assert (choices.USUAL_DAYS, choices.LONGEST_DAYS) == (tokens.USUAL_DAYS, tokens.LONGEST_DAYS)
