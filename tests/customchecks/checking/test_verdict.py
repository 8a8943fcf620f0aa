"""What a script prints, and what it is taken for: never a status that the script did not say last."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customchecks.checking.verdict import parse
from polling.base.results import Cause, Verdict


def answer(stdout, exit_code=0):
    result = parse(stdout, exit_code=exit_code)
    return result.verdict, result.cause


def line(**keys):
    return json.dumps({"status": "PENDING", **keys})


BAD = (Verdict.ERROR, Cause.BAD_VERDICT)
NONE = (Verdict.ERROR, Cause.NO_VERDICT)
NONZERO = (Verdict.ERROR, Cause.EXIT_NONZERO)
SUCCESS = (Verdict.SUCCESS, None)
PENDING = (Verdict.PENDING, None)
OK = '{"status": "SUCCESS"}'


@pytest.mark.parametrize("status", ["SUCCESS", "FAILED", "PENDING"])
def test_each_status_is_a_verdict(status):
    assert answer(json.dumps({"status": status})) == (Verdict(status), None)


def test_an_error_that_the_script_reports_is_its_own():
    assert answer('{"status": "ERROR"}') == (Verdict.ERROR, Cause.SCRIPT)


def test_all_that_the_script_says_is_kept():
    text = line(message="half", data={"n": 0, "ok": False}, state={"seen": [1]}, progress=50.5, next_check_in=30)
    result = parse(text, exit_code=0)
    assert (result.message, result.data) == ("half", {"n": 0, "ok": False})
    assert (result.state, result.progress, result.next_check_in) == ({"seen": [1]}, 50.5, 30)


def test_what_the_script_leaves_out_has_plain_defaults():
    result = parse(OK, exit_code=0)
    assert (result.message, result.data, result.state, result.progress, result.next_check_in) == (
        "",
        {},
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("stdout", "expected"),
    [
        (f"starting\n{OK}\n", SUCCESS),
        (f"{line()}\n{OK}", SUCCESS),
        (f"{OK}\n{line()}", PENDING),
        (f"{OK}\n0\nnull\ntrue\n42\n", SUCCESS),
        (f'{OK}\n"the status is fine"\n["status"]\ndone.\n\n', SUCCESS),
        (f"\ufeff{OK}\r\n", SUCCESS),
        (f"{line()}\r\n{OK}\r\n\r\n", SUCCESS),
        (f"10%\r20%\r{OK}", SUCCESS),
        (f"  {OK}\t\n", SUCCESS),
        ('{"status": "SUCCESS", "message": "a\u2028b"}', SUCCESS),
    ],
)
def test_the_last_object_counts(stdout, expected):
    assert answer(stdout) == expected


@pytest.mark.parametrize(
    "stdout",
    [
        "",
        "\n\n \r\n",
        "done",
        '"the status is fine"',
        '["status"]',
        "42",
        "null",
        "true",
        '"SUCCESS"',
        "SUCCESS",
        "{",
        "}",
        "{}",
        '{"level": "info"}',
        "{'elapsed': 1.2}",
        '"{\\"status\\": \\"SUCCESS\\"}"',
    ],
)
def test_no_object_with_a_status_is_no_verdict(stdout):
    assert answer(stdout) == NONE


@pytest.mark.parametrize(
    "status", ["success", "Success", " SUCCESS", "SUCCESS ", "DONE", "", 1, None, ["SUCCESS"], {}, True]
)
def test_another_status_is_a_bad_verdict(status):
    assert answer(json.dumps({"status": status})) == BAD


@pytest.mark.parametrize(
    "last",
    [
        '{"status": "SUCCESS"',
        '{"status": "SUCCESS",}',
        '{"status": "SUCCESS"} done',
        '{"status": "SUCCESS"}{"status": "SUCCESS"}',
        '{"status": "SUCCESS", "status": "FAILED"}',
        '{"status": "SUCCESS", "data": {"x": NaN}}',
        '{"status": "SUCCESS", "data": {"x": -Infinity}}',
        '{"status": "SUCCESS", "data": {"x": 1e999}}',
        '{"status": "SUCCESS", "data": {"x": %s}}' % ("9" * 31),
        '{"status": "SUCCESS", "data": {"x": %s}}' % ("9" * 5000),
        '{"status": "SUCCESS", "data": {"a": 1, "a": 2}}',
        '{"status": "SUCCESS", "data": ' + '{"a":' * 33 + "1" + "}" * 34,
        '{"status": "SUCCESS", "data": ' + "[" * 20000 + "]" * 20000 + "}",
        '{"status": "SUCCESS", "message": "a\tb"}',
        '{\n  "status": "SUCCESS",\n  "data": NaN\n}',
        '{\n  "status": "SUCCESS",\n  "data": {\n    "runs": [\n',
        '{"status": "SUCCESS", "data": {"text": "half a wo',
    ],
)
@pytest.mark.parametrize("before", ["", f"{OK}\n"])
def test_a_broken_last_verdict_is_a_bad_one_and_no_older_one_counts(before, last):
    assert answer(before + last) == BAD


@pytest.mark.parametrize(
    "log",
    [
        '{"level": "info", "msg": "session closed"}',
        '{"level": 30, "status": 200, "msg": "asking"}',
        '{"status": "running"}',
        '{"status": "success"}',
        '{"status": null}',
        '{"run": {"status": "FAILED"}}',
        '[{"status": "FAILED"}]',
        "{'elapsed': 1.2}",
        "{'status': 'FAILED'}",
        "{ closed: true }",
        "{ status: 'FAILED' }",
        "{\n  closed: true,\n  runs: [ { status: 'FAILED' } ]\n}",
        '{\n  "rows": [\n    1\n  ]\n}',
        'asked: {\n  "runs": [\n{"status": "FAILED"}\n  ]\n}',
        "{}",
        "{",
        "[INFO] asked",
        "{ starting",
        "it's 5\" wide: {",
        '{"msg": "cut by the log',
        '{"msg": "cut", "n": 5',
        "\x1b[2m12:00\x1b[0m asked",
    ],
)
def test_what_has_no_usable_status_is_output_wherever_it_stands(log):
    assert answer(f"{log}\n{OK}") == SUCCESS
    assert answer(f"{OK}\n{log}") == SUCCESS
    assert answer(f"{log}\n{line()}\n{log}\n{OK}\n{log}\nclosing\n{log}") == SUCCESS


@pytest.mark.parametrize("status", ["success", "DONE", 200, None])
def test_a_status_that_is_none_is_shown_with_the_words_that_are(status):
    result = parse(json.dumps({"status": status}), exit_code=0)
    assert f"its status is {json.dumps(status)}, not one of SUCCESS, FAILED, PENDING, ERROR" in result.message


@pytest.mark.parametrize("printed", ["{'status': 'SUCCESS'}", "{ status: 'SUCCESS', rows: 3 }"])
def test_an_object_of_the_language_is_told_how_to_become_json(printed):
    result = parse(printed, exit_code=0)
    assert result.cause is Cause.BAD_VERDICT
    assert "json.dumps" in result.message
    assert "JSON.stringify" in result.message


@pytest.mark.parametrize("printed", [f"verdict: {OK}", f"[\n{OK}\n]", '{"result": {"status": "SUCCESS"}}'])
def test_a_status_that_does_not_stand_by_itself_is_explained(printed):
    result = parse(printed, exit_code=0)
    assert result.cause is Cause.NO_VERDICT
    assert "inside a larger document or behind other text" in result.message


def test_32_levels_and_30_digits_are_fine():
    assert answer('{"status": "SUCCESS", "data": ' + '{"a":' * 31 + "9" * 30 + "}" * 32) == SUCCESS


def test_a_pretty_printed_object_is_a_verdict():
    assert answer(json.dumps({"status": "SUCCESS", "data": {"a": [1, {"b": {}}]}}, indent=2)) == SUCCESS


def test_a_line_inside_a_pretty_printed_object_is_not_a_verdict():
    assert answer('{"status": "PENDING", "data": {"jobs": [\n{"status": "SUCCESS"}\n]}}\n') == PENDING
    assert answer('{"data": [\n{"status": "SUCCESS"}\n]}\n') == NONE
    assert answer('asking\n{\n "status": "PENDING",\n "data": {"runs": [\n  {"status": "SUCCESS"}\n ]}\n}') == PENDING


def test_a_broken_pretty_printed_object_says_what_is_wrong():
    result = parse('{\n  "status": "SUCCESS",\n  "data": NaN\n}\n', exit_code=0)
    assert result.cause is Cause.BAD_VERDICT
    assert "NaN" in result.message


@pytest.mark.parametrize("colour", ["\x1b[32m", "\x1b[1;38;5;10m", "\x1b]8;;https://x\x1b\\"])
def test_colours_around_and_within_a_verdict_are_no_part_of_it(colour):
    assert answer(f"{colour}{OK}\x1b[0m") == SUCCESS
    assert answer(f'{colour}{{\n  \x1b[0m{colour}"status"\x1b[0m: \x1b[33m"PENDING"\x1b[0m\n}}\n') == PENDING


@pytest.mark.parametrize("status", ["PENDING", "FAILED"])
@pytest.mark.parametrize("exit_code", [1, 137, 143, None])
def test_pending_and_failed_survive_a_bad_exit(status, exit_code):
    assert answer(json.dumps({"status": status}), exit_code) == (Verdict(status), None)


def test_a_reported_error_survives_a_bad_exit():
    assert answer('{"status": "ERROR", "message": "no"}', 1) == (Verdict.ERROR, Cause.SCRIPT)


@pytest.mark.parametrize("exit_code", [1, 2, 137, 143, -9, None])
def test_success_with_a_bad_exit_is_an_error_that_says_so(exit_code):
    result = parse('{"status": "SUCCESS", "message": "ok", "data": {"a": 1}, "state": {"b": 2}}', exit_code=exit_code)
    assert (result.verdict, result.cause) == NONZERO
    assert "SUCCESS" in result.message
    assert (result.data, result.state) == ({"a": 1}, None)


@pytest.mark.parametrize("exit_code", [1, 137, None])
def test_no_verdict_with_a_bad_exit_is_about_the_exit(exit_code):
    assert answer("Traceback\n", exit_code) == NONZERO
    assert answer("", exit_code) == NONZERO


def test_a_bad_verdict_stays_one_with_a_bad_exit():
    result = parse('{"status": "SUCCESS",}', exit_code=1, stderr="KeyError: 'x'")
    assert result.cause is Cause.BAD_VERDICT
    assert "exit code 1 (KeyError: 'x')" in result.message


def test_the_exit_explains_more_than_a_status_that_is_none():
    assert answer('{"status": 200}', 1) == NONZERO


@pytest.mark.parametrize("exit_code", [0, 1])
@pytest.mark.parametrize("stdout", ["", OK])
def test_the_last_words_on_stderr_are_in_the_message(stdout, exit_code):
    stderr = "Traceback (most recent call last):\n  File ...\nKeyError: 'state'\n"
    message = parse(stdout, exit_code=exit_code, stderr=stderr).message
    assert ("KeyError: 'state'" in message) is (exit_code != 0 or not stdout)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("data", wrong) for wrong in ([], "x", 1)],
        *[("message", wrong) for wrong in (1, {}, True)],
        *[("state", wrong) for wrong in ([], "x", {"a": "x" * 66_000})],
        *[("progress", wrong) for wrong in (-0.1, 100.1, "50", True)],
        *[("next_check_in", wrong) for wrong in (1.5, 30.0, "30", True)],
    ],
)
def test_a_key_of_a_wrong_kind_is_a_bad_verdict_that_names_it(key, value):
    result = parse(json.dumps({"status": "SUCCESS", key: value}, indent=1), exit_code=0)
    assert result.cause is Cause.BAD_VERDICT
    assert key in result.message


@pytest.mark.parametrize("key", ["data", "message", "state", "progress", "next_check_in"])
def test_null_is_the_key_left_out(key):
    assert parse(json.dumps({"status": "SUCCESS", key: None}), exit_code=0) == parse(OK, exit_code=0)


@pytest.mark.parametrize("seconds", [0, -5])
def test_a_next_check_below_its_range_is_no_wrong_answer(seconds):
    result = parse(line(next_check_in=seconds), exit_code=0)
    assert (result.verdict, result.next_check_in) == (Verdict.PENDING, seconds)


def test_a_state_over_the_limit_says_by_how_much():
    result = parse(line(state={"a": "é" * 40_000}), exit_code=0)
    assert "its state has 80,008 bytes, at most 65,536" in result.message


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("text", ["a" * 65_000, "č" * 32_000, "😀" * 16_000])
def test_the_limits_count_what_is_stored_and_not_how_it_was_printed(text, ascii_only, indent):
    said = {"status": "PENDING", "data": {"x": text}, "state": {"y": text}}
    result = parse(json.dumps(said, indent=indent, ensure_ascii=ascii_only), exit_code=0)
    assert (result.verdict, result.data, result.state) == (Verdict.PENDING, said["data"], said["state"])


def test_a_long_message_is_cut_and_says_so():
    message = parse(line(message="x" * 50_000), exit_code=0).message
    assert len(message) == 2000
    assert message.endswith("[cut: 50,000 characters]")
    assert parse(line(message="x" * 2000), exit_code=0).message == "x" * 2000


def test_large_data_are_left_out_and_the_message_says_so():
    said = {"status": "SUCCESS", "message": "m" * 2000, "data": {"a": "é" * 40_000}}
    result = parse(json.dumps(said, indent=1, ensure_ascii=False), exit_code=0)
    assert (result.verdict, result.data) == (Verdict.SUCCESS, {})
    assert "[data left out: 80,008 bytes" in result.message
    assert len(result.message) <= 2000


def test_what_postgresql_cannot_store_is_replaced():
    result = parse(r'{"status": "PENDING", "message": "a\u0000b\ud800", "data": {"\udc00": ["\u0000"]}}', exit_code=0)
    assert result.message == "a\ufffdb\ufffd"
    assert result.data == {"\ufffd": ["\ufffd"]}


def test_an_escaped_pair_is_one_character():
    assert parse(r'{"status": "PENDING", "message": "\ud83d\ude00"}', exit_code=0).message == "😀"


def test_a_verdict_may_be_followed_by_a_long_log():
    assert answer(f"{OK}\n" + "log\n" * 50_000) == SUCCESS
    assert answer(f"{OK}\n" + "x" * 200_000) == SUCCESS


def test_a_line_that_is_cut_is_not_read_as_a_whole_one():
    rest = '{"status": "SUCCESS"}'
    assert parse(rest + "\nlog" * 100, exit_code=0, cut=True).cause is Cause.NO_VERDICT
    assert parse("log\n" + rest, exit_code=0, cut=True).verdict is Verdict.SUCCESS


def test_a_line_inside_a_document_whose_beginning_is_cut_is_not_a_verdict():
    rest = '"half",\n{"status": "SUCCESS"}\n ]\n}\n'
    assert parse(rest, exit_code=0, cut=True).cause is Cause.NO_VERDICT
    assert parse(rest + line(), exit_code=0, cut=True).verdict is Verdict.PENDING


@given(st.text(), st.none() | st.integers(-255, 255))
def test_any_text_gives_a_result(stdout, exit_code):
    assert parse(stdout, exit_code=exit_code).verdict is Verdict.ERROR


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
numbers = st.integers(-(10**29), 10**29) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(texts, json_values, max_size=5), st.sampled_from(["SUCCESS", "FAILED", "PENDING"]))
def test_what_json_can_say_arrives_unchanged(data, status):
    result = parse(json.dumps({"status": status, "data": data}), exit_code=0)
    assert (result.verdict, result.data) == (status, data)


@given(json_values, st.booleans())
def test_only_the_four_words_are_a_status(status, pretty):
    stdout = json.dumps({"status": status}, indent=1 if pretty else None)
    assert parse(stdout, exit_code=0).cause in (Cause.BAD_VERDICT, Cause.SCRIPT) or status in list(Verdict)
