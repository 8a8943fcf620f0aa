"""What a job may run on: the words for it, and that one row is all that tells one runtime from another."""

import ast

import pytest
from django.core.exceptions import ValidationError
from pytest_django.fixtures import Settings

from customchecks.images import runtimes
from customchecks.jobs import fields, selection
from customchecks.jobs.models import CustomCheckJob
from tests.ground_rules import code


@pytest.mark.parametrize(
    ("word", "name"),
    [("python", "python-3.11"), ("node", "node-20"), ("python-3.11", "python-3.11"), ("node-24", "node-24")],
)
def test_a_language_alone_means_the_version_of_the_product_document(word: str, name: str) -> None:
    assert runtimes.named(word).name == name


@pytest.mark.parametrize("word", runtimes.WORDS)
def test_a_job_may_say_every_word(word: str) -> None:
    job = CustomCheckJob(name="x", script_source_type="upload", script_runtime=word)
    job.full_clean()
    assert job.script_entrypoint == runtimes.named(word).entrypoint


@pytest.mark.parametrize(("word", "entrypoint"), [("python", "main.py"), ("node", "index.js"), ("ruby", "")])
def test_the_entry_point_is_the_languages_usual_one(word: str, entrypoint: str) -> None:
    assert runtimes.default_entrypoint(word) == entrypoint


@pytest.mark.parametrize("word", ["python-3.12", "Python", "ruby", "", None, 3])
def test_another_word_is_told_which_there_are(word: object) -> None:
    with pytest.raises(ValidationError, match=r"one of python, .*python-3\.13.*node-22"):
        fields.runtime(word)


@pytest.mark.parametrize("row", runtimes.ROWS, ids=lambda row: row.name)
def test_every_row_has_its_dockerfile(row: runtimes.Runtime) -> None:
    folder = code.BASE_DIR / "runner_images" / row.language
    assert "COPY launcher " in (folder / "Dockerfile").read_text()


@pytest.mark.django_db
def test_a_list_finds_both_words_of_a_runtime() -> None:
    for word in ("python", "python-3.11", "python-3.13", "node"):
        CustomCheckJob.objects.create(name=word, script_source_type="upload", script_runtime=word)
    rows = CustomCheckJob.objects.all()
    found = {word: {job.name for job in selection.jobs(rows, runtime=word)} for word in runtimes.WORDS}
    assert found["python"] == found["python-3.11"] == {"python", "python-3.11"}
    assert found["python-3.13"] == {"python-3.13"}


@pytest.mark.parametrize(
    ("setting", "bases"),
    [
        ("mirror.test/python:{version}-slim", {"python": "mirror.test/python:3.11-slim"}),
        ("mirror.test/python:{version}-slim", {"python-3.13": "mirror.test/python:3.13-slim"}),
        ("mirror.test/py:latest", {"python": "mirror.test/py:latest", "python-3.13": "python:3.13-slim"}),
    ],
)
def test_the_operators_base_is_every_versions_where_it_names_the_version(
    setting: str, bases: dict[str, str], settings: Settings
) -> None:
    settings.TECKO_PYTHON_BASE = setting
    assert {word: runtimes.named(word).image_base for word in bases} == bases


NAMES = {*runtimes.WORDS, *(row.language for row in runtimes.ROWS)}


def questions(source: code.Source) -> list[str]:
    """Where a file compares a runtime with the name of one."""
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Compare) or (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            parts = list(ast.walk(node))
            subjects = {str(getattr(part, "id", "")) + str(getattr(part, "attr", "")) for part in parts}
            words = {part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)}
            asks = isinstance(node, ast.Compare) or "startswith" in subjects
            if asks and words & NAMES and any("runtime" in subject for subject in subjects):
                found.append(source.where(node))
    return found


def test_no_module_asks_which_runtime_it_is() -> None:
    """Another row would fall through such a question: what tells runtimes apart stands in their rows."""
    assert [place for source in code.product() for place in questions(source)] == []


@pytest.mark.parametrize(
    "question", ['job.script_runtime == "node"', 'runtime.startswith("node")', 'runtime in ("python",)']
)
def test_the_rule_sees_such_a_question(question: str) -> None:
    assert questions(code.Source("x.py", f"if {question}:\n    pass")) == ["x.py:1"]


@pytest.mark.parametrize("page", ["scripts.md", "runner-images.md"])
def test_the_docs_name_every_runtime(page: str) -> None:
    text = (code.BASE_DIR / "docs" / page).read_text()
    assert [word for word in runtimes.WORDS if f"`{word}`" not in text] == []


def test_another_version_is_built_only_when_somebody_asks_for_it() -> None:
    assert runtimes.DEFAULTS == ("python", "node")
