"""What a script printed becomes an answer: no part of a secret in it, and no verdict from half a line."""

import json
from typing import Any

import pytest

from customchecks.checking import results
from customchecks.sandbox.outcome import SandboxOutcome
from polling.base.results import Cause, CheckResult, Verdict
from secrets_app.masking.masker import MASK, Masker

SECRET = "sk-" + "".join(f"{number:03}" for number in range(100))
KB64 = 64 * 1024


def answer(stdout: str, *, secrets: tuple[str, ...] = (SECRET,), exit_code: int = 0) -> CheckResult:
    content = stdout.encode()
    cut = max(len(content) - 2 * KB64, 0)
    outcome = SandboxOutcome(
        exit_code=exit_code,
        stdout=content[:KB64] + content[-KB64:] if cut else content,
        stdout_cut=cut,
        stdout_head_len=KB64 if cut else len(content),
    )
    return results.from_outcome(outcome, Masker(secrets))


def line(**keys: Any) -> str:
    return json.dumps({"status": "PENDING", **keys})


@pytest.mark.parametrize("exit_code", [0, 1])
@pytest.mark.parametrize("status", ["PENDING", "SUCCESS", "ERROR"])
@pytest.mark.parametrize("before", [1650, 1900, 1950, 1975, 1999])
def test_a_message_that_is_cut_within_a_secret_shows_no_part_of_it(before: int, status: str, exit_code: int) -> None:
    result = answer(line(status=status, message="x" * before + SECRET + "y" * 500), exit_code=exit_code)
    assert len(result.message) <= 2000
    assert SECRET[:4] not in result.message


def test_a_message_that_makes_room_for_a_note_shows_no_part_of_a_secret() -> None:
    result = answer(
        json.dumps({**json.loads(line(message="x" * 1900 + SECRET)), "data": {"a": "d" * 65_000}}, indent=1)
    )
    assert SECRET[:4] not in result.message


@pytest.mark.parametrize("status", [SECRET, {"token": SECRET}, "x" * 50 + SECRET, ["x" * 55, SECRET]])
def test_a_status_that_is_shown_shows_no_part_of_a_secret(status: object) -> None:
    result = answer(json.dumps({"status": status}))
    assert result.cause is Cause.BAD_VERDICT
    assert SECRET[:6] not in result.message


def test_the_last_words_of_stderr_show_no_part_of_a_secret() -> None:
    stderr = f"ValueError: {'x' * 250}{SECRET}\n".encode()
    outcome = SandboxOutcome(exit_code=1, stderr=stderr, stderr_head_len=len(stderr))
    result = results.from_outcome(outcome, Masker((SECRET,)))
    assert "ValueError: xxx" in result.message
    assert SECRET[:6] not in result.message


def test_a_message_that_is_short_once_masked_is_whole() -> None:
    assert answer(line(message="x" * 1900 + SECRET)).message == "x" * 1900 + MASK


@pytest.mark.parametrize("filler", ["honest text ", "čestný text ", '{"status":"SUCCESS"} '])
@pytest.mark.parametrize("rest", range(65_508, 65_520))
def test_a_line_that_begins_before_the_cut_is_no_verdict(filler: str, rest: int) -> None:
    result = answer(filler * 20_000 + '{"status":"FAILED"}\n' + "n" * rest + "\n")
    assert result.verdict is Verdict.ERROR
    assert result.cause is Cause.NO_VERDICT


def test_a_line_of_many_bytes_that_begins_before_the_cut_is_no_verdict() -> None:
    tail = '{"status":"FAILED"}\n' + "é" * 32_757 + "\n\n"
    assert len(tail.encode()) == KB64
    assert answer("x" * 100_000 + tail).cause is Cause.NO_VERDICT


def test_head_and_tail_are_not_read_as_one_document() -> None:
    stdout = '{"status": "SUCCESS", "data":\n{}' + " " * 140_000 + "\n}"
    assert answer(stdout).verdict is Verdict.ERROR


@pytest.mark.parametrize("filler", ["log\n", "žluťoučký\r\n"])
def test_a_whole_line_after_the_cut_is_a_verdict(filler: str) -> None:
    assert answer(filler * 50_000 + line(message="half")).message == "half"


def test_a_last_line_that_begins_before_the_cut_is_a_bad_verdict() -> None:
    result = answer("log\n" * 50_000 + line(message="é" * 40_000))
    assert result.cause is Cause.BAD_VERDICT
    assert "512 kB" in result.message


def test_a_progress_that_is_a_secret_is_left_out() -> None:
    assert answer(line(progress=12.3456), secrets=("12.3456",)).progress is None
    assert answer(line(progress=12.3457), secrets=("12.3456",)).progress == 12.3457


@pytest.mark.parametrize("state", [{"token": SECRET}, {SECRET: 1}, {"a": [{"b": f"x{SECRET}"}]}])
def test_a_state_that_holds_a_secret_is_left_out(state: dict[str, Any]) -> None:
    assert answer(line(state=state)).state is None


@pytest.mark.parametrize("state", [None, {}, {"cursor": 5, "done": False}])
def test_a_state_without_a_secret_is_kept(state: dict[str, Any] | None) -> None:
    assert answer(line() if state is None else line(state=state)).state == state
