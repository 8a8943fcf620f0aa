"""What is told of an installer's log."""

from customchecks.dependencies.installation import REASON_CHARACTERS, essence


def test_the_reason_begins_with_the_first_error_and_not_within_a_word() -> None:
    log = "Using Python\n" + "noise " * 200 + "\nerror: no version of nothing-here\n  hint: look again"
    assert essence(log) == "error: no version of nothing-here hint: look again"
    assert essence("npm warn old\nnpm error code E404\nnpm error 404 Not Found").startswith("npm error code E404")


def test_a_log_without_an_error_is_told_by_its_last_whole_lines() -> None:
    shown = essence("\n".join(f"line {number} of the log" for number in range(200)))
    assert shown.startswith("line ")
    assert shown.endswith("line 199 of the log")
    assert len(shown) <= REASON_CHARACTERS


def test_an_index_that_is_not_reached_names_the_settings() -> None:
    for log in ("error: Failed to fetch: `x`", "npm error code ENOTFOUND"):
        assert "TECKO_PIP_INDEX_URL or TECKO_NPM_REGISTRY" in essence(log)
    assert "TECKO" not in essence("error: no such version")
