"""What the documents say is run, or compared with the code."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from polling.base.results import Cause
from polling.jobs import groups
from polling.outbox import templates
from teckochecker.api import openapi
from tests.acceptance.instance import PASSWORD, REPOSITORY, Instance

README = (REPOSITORY / "README.md").read_text()
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", README, re.DOTALL)


def commands(first_word: str) -> list[str]:
    """The README's shell commands that start with this word, their continued lines joined."""
    shell = "\n".join(text for language, text in BLOCKS if language == "sh").replace("\\\n", " ")
    return [line.strip() for line in shell.splitlines() if line.startswith(first_word)]


@pytest.mark.parametrize("command", ["script/server", "script/test"])
def test_the_two_commands_are_there_and_explain_themselves(command: str) -> None:
    (line,) = commands(command)
    done = subprocess.run([REPOSITORY / shlex.split(line)[0], "--help"], capture_output=True, text=True, check=True)
    assert "usage" in done.stdout.lower()


def test_every_linked_file_exists() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (REPOSITORY / link).exists()] == []


def test_the_script_of_the_readme_is_python() -> None:
    (script,) = [text for language, text in BLOCKS if language == "python"]
    compile(script, "main.py", "exec")


@pytest.mark.engine
def test_the_commands_of_the_readme_run(instance: Instance, tmp_path: Path) -> None:
    for line in commands(".venv/bin/python manage.py customcheck"):
        words = [sys.executable, *shlex.split(line)[1:]]
        done = subprocess.run(
            words, cwd=REPOSITORY, env=instance.environ, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode in (0, 10), f"{line}\n{done.stdout}\n{done.stderr}"  # 10: the answer was PENDING
    (pack,) = commands("tar ")
    subprocess.run(
        shlex.split(pack.replace("mock-checker.tgz", str(tmp_path / "mock-checker.tgz"))), cwd=REPOSITORY, check=True
    )
    (curl,) = commands("curl ")
    curl = curl.replace("admin:PASSWORD", f"tester:{PASSWORD}").replace("8000", str(instance.port))
    done = subprocess.run(shlex.split(curl), cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout).get("name") == "my upload", done.stdout


def test_every_setting_is_described_and_every_description_is_a_setting() -> None:
    source = (REPOSITORY / "teckochecker" / "settings.py").read_text()
    read = set(re.findall(r'"(TECKO_[A-Z_]+|DATABASE_URL)"', source)) | {"TECKO_HOME"}
    rows = re.findall(r"^\| `(TECKO_[A-Z_]+|DATABASE_URL)`", (REPOSITORY / "docs/operations.md").read_text(), re.M)
    assert set(rows) == read
    assert settings.TECKO_HOME


def test_every_cause_is_described() -> None:
    text = (REPOSITORY / "docs" / "scripts.md").read_text()
    assert [cause for cause in Cause if f"| `{cause.value}` |" not in text] == []


def test_every_name_of_a_template_is_described_where_it_can_be_used() -> None:
    text = (REPOSITORY / "docs" / "deliveries.md").read_text().partition("## Templates")[2].partition("\n## ")[0]
    of_jobs, of_groups = set(), set()
    for first, in_a_job, in_a_group in re.findall(r"^\| (`\{.*?) \| (.*?) ?\| (.*?) ?\|$", text, re.M):
        names = re.findall(r"`\{(\w+)\}`", first)
        of_jobs |= {*names, *re.findall(r"also `\{(\w+)\}`", in_a_job)} if in_a_job else set()
        of_groups |= set(names) if in_a_group else set()
    assert of_jobs == templates.ROOTS
    assert of_groups == groups.TEMPLATE_ROOTS


def test_every_error_of_the_api_is_described() -> None:
    text = (REPOSITORY / "docs" / "api.md").read_text()
    assert [status for status in openapi.ERRORS if f"| {status} |" not in text] == []
