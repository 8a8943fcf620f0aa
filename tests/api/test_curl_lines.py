"""The calls that the product's specification shows, run as they stand there against the real web server.

What is added is a token, and the server where a line has a path alone. Dots stand for something: a line that has
some is run once as it stands and once with them filled in.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from customchecks.jobs.models import CustomCheckJob
from tests.api import live

GIT = """curl -X POST /api/custom-checks \\
  -F 'config={"name":"My Job","script_source_type":"git","script_git_url":"https://...",...}'"""
UPLOAD = """curl -X POST /api/custom-checks \\
  -F 'config={"name":"My Job","script_source_type":"upload",...}' \\
  -F 'script=@my-script.tgz'"""
MOCK = """curl -X POST http://localhost:8000/api/custom-checks \\
  -F 'config={"name":"Mock Test","script_source_type":"upload","script_runtime":"python","script_entrypoint":"main.py",\
"check_params":{},"env_vars":{"TASK_ID":"test_123","CHECKS_UNTIL_COMPLETE":"4"},"poll_interval_seconds":30}' \\
  -F 'script=@mock-checker.tgz'"""
PACK = "tar -czf mock-checker.tgz main.py requirements.txt"
DOTS = {
    '"https://..."': '"https://git.example.com/checks.git"',
    ",...}": ',"script_runtime":"python","check_params":{"export":7}}',
}

pytestmark = pytest.mark.usefixtures("server")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the lines are run: with the files that they name."""
    (tmp_path / "main.py").write_text('print(\'{"status": "PENDING"}\')\n')
    (tmp_path / "requirements.txt").write_text("")
    subprocess.run(PACK, shell=True, cwd=tmp_path, check=True)
    (tmp_path / "my-script.tgz").write_bytes((tmp_path / "mock-checker.tgz").read_bytes())
    return tmp_path


def run(line: str, folder: Path, server: live.Server) -> tuple[int, Any]:
    origin = f"http://localhost:{server.port}"
    line = line.replace(" /api", f" {origin}/api").replace("http://localhost:8000", origin)
    line += f" -H 'Authorization: Token {server.token}' --silent --show-error --write-out '\\n%{{http_code}}'"
    done = subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True, check=True)
    body, _, code = done.stdout.rpartition("\n")
    return int(code), json.loads(body)


def filled_in(line: str) -> str:
    for dots, meant in DOTS.items():
        line = line.replace(dots, meant)
    assert "..." not in line
    return line


@pytest.mark.parametrize("line", [GIT, UPLOAD], ids=["git", "upload"])
def test_dots_are_no_json_and_the_answer_says_so(line: str, folder: Path, server: live.Server) -> None:
    code, answer = run(line, folder, server)
    assert (code, list(answer["errors"])) == (400, ["config"])
    assert not CustomCheckJob.objects.exists()


def test_the_line_for_git_makes_a_job(folder: Path, server: live.Server) -> None:
    code, job = run(filled_in(GIT), folder, server)
    assert (code, job["name"], job["script_source_type"]) == (201, "My Job", "git")
    assert (job["script_git_url"], job["script_git_branch"]) == ("https://git.example.com/checks.git", "main")
    assert (job["status"], job["script_entrypoint"]) == ("active", "main.py")


def test_the_line_for_an_upload_makes_a_job_with_its_script(folder: Path, server: live.Server) -> None:
    code, job = run(filled_in(UPLOAD), folder, server)
    assert (code, job["name"], job["script_source_type"], job["check_params"]) == (
        201,
        "My Job",
        "upload",
        {"export": 7},
    )
    assert job["script_file_path"]
    assert job["next_check_at"]


def test_the_line_for_the_mock_checker_makes_a_job(folder: Path, server: live.Server) -> None:
    code, job = run(MOCK, folder, server)
    assert (code, job["name"], job["script_runtime"], job["script_entrypoint"]) == (
        201,
        "Mock Test",
        "python",
        "main.py",
    )
    assert job["env_vars"] == {"TASK_ID": "test_123", "CHECKS_UNTIL_COMPLETE": "4"}
    assert (job["check_params"], job["poll_interval_seconds"], job["timeout_seconds"]) == ({}, 30, 300)
    stored = CustomCheckJob.objects.get(pk=job["id"])
    assert {path for path, _ in stored.script_archive.files} == {"main.py", "requirements.txt"}
