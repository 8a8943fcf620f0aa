"""What a script prints, and what it is taken for: never a status that the script did not say last."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customchecks.verdict import parse
from polling.results import Cause, Verdict


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
def test_the_last_line_that_is_an_object_counts(stdout, expected):
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
    ],
)
def test_no_object_is_no_verdict(stdout):
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
        "{'status': 'SUCCESS'}",
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
        '{"level": "info"}',
        "{}",
    ],
)
@pytest.mark.parametrize("before", ["", f"{OK}\n"])
def test_a_broken_last_object_is_a_bad_verdict_and_no_older_one_counts(before, last):
    assert answer(before + last) == BAD


def test_32_levels_and_30_digits_are_fine():
    assert answer('{"status": "SUCCESS", "data": ' + '{"a":' * 31 + "9" * 30 + "}" * 32) == SUCCESS


def test_a_pretty_printed_object_is_a_verdict():
    assert answer(json.dumps({"status": "SUCCESS", "data": {"a": [1, {"b": {}}]}}, indent=2)) == SUCCESS


def test_a_line_inside_a_pretty_printed_object_is_not_a_verdict():
    assert answer('{"status": "PENDING", "data": {"jobs": [\n{"status": "SUCCESS"}\n]}}\n') == PENDING
    assert answer('{"data": [\n{"status": "SUCCESS"}\n]}\n') == BAD


def test_a_broken_pretty_printed_object_is_a_bad_verdict():
    result = parse('{\n  "status": "SUCCESS",\n  "data": NaN\n}\n', exit_code=0)
    assert result.cause is Cause.BAD_VERDICT
    assert "NaN" in result.message


def test_a_pretty_printed_object_after_a_log_line_is_no_verdict():
    assert answer('starting\n{\n  "status": "SUCCESS"\n}\n') == NONE


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
    assert answer('{"status": "DONE"}', 1) == BAD


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("data", wrong) for wrong in (None, [], "x", 1)],
        *[("message", wrong) for wrong in (None, 1, {}, True)],
        *[("state", wrong) for wrong in (None, [], "x", {"a": "x" * 66_000})],
        *[("progress", wrong) for wrong in (None, -0.1, 100.1, "50", True)],
        *[("next_check_in", wrong) for wrong in (None, 0, -1, 1.5, 30.0, "30", True)],
    ],
)
def test_a_key_of_a_wrong_kind_is_a_bad_verdict_that_names_it(key, value):
    result = parse(json.dumps({"status": "SUCCESS", key: value}, indent=1), exit_code=0)
    assert result.cause is Cause.BAD_VERDICT
    assert key in result.message


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


def test_a_line_over_64_kb_is_a_bad_verdict():
    assert answer(line(message="x" * 66_000)) == BAD
    assert answer(f"{OK}\n{line(message='x' * 66_000)}") == BAD


def test_a_line_of_64_kb_is_read():
    assert answer("log\n" + line(message="x" * (65_536 - len(line(message=""))))) == PENDING


def test_a_verdict_too_far_back_is_none():
    assert answer(f"{OK}\n" + "log\n" * 199) == SUCCESS
    assert answer(f"{OK}\n" + "log\n" * 200) == NONE
    assert answer(f"{OK}\n" + "x" * 70_000) == NONE


def test_a_line_that_is_cut_by_the_window_is_not_read_as_a_whole_one():
    rest = '{"status": "SUCCESS"}'
    assert answer("x" * 70_000 + rest + "\nlog" * 100) == NONE


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


@pytest.mark.parametrize(
    "stdout",
    [
        "{" * 1_000_000,
        "x\n" * 500_000,
        '{"a":' * 200_000,
        "[" * 1_000_000,
        '{"status": "SUCCESS", "data": {"a": [%s\n{}]}}' % ("{}," * 50_000),
        "\\" * 1_000_000 + "}",
    ],
)
def test_a_megabyte_is_read_quickly(stdout):
    began = time.process_time()
    parse(stdout, exit_code=0)
    assert time.process_time() - began < 0.25
