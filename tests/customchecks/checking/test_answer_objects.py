"""Which objects of an output stand by themselves: whatever is around them, and however they are printed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customchecks.checking import answer_objects, verdict
from polling.base.results import Cause, Verdict
from tests.growth import grows_linearly

STATUS = '{"status": "SUCCESS"}'
WORDS = st.sampled_from(["SUCCESS", "FAILED", "PENDING"])
LOG = st.sampled_from(
    [
        *(
            "",
            "asking …",
            "[INFO] asked",
            "{",
            "{ starting",
            "[12%",
            "it's 5\" wide",
            "10%\r20%",
            ":-{",
            "\\",
            '"',
            "null",
        ),
        *('{"level": "info", "msg": "a {"}', '{"status": 200}', '{"status": "running"}', "{'status': 'SUCCESS'}"),
        *(
            "{ status: 'FAILED' }",
            "{\n  runs: [ { ok: true } ]\n}",
            '{\n  "rows": [1]\n}',
            '["SUCCESS"]',
            '{"cut": "of',
        ),
        *('asked: {\n "runs": [\n{"status": "SUCCESS"}\n]}', "\x1b[31mred\x1b[0m", "\ufeff", "{}", "[]"),
    ]
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")) | st.sampled_from(
    [STATUS, "{", "}", '"', "\\", "[\n", f"\n{STATUS}\n"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=15,
)
ROWS = st.lists(st.just({"status": "SUCCESS"}) | VALUES, max_size=5)
INDENTS = st.none() | st.integers(0, 4) | st.sampled_from(["\t", ""])
SEPARATORS = st.sampled_from([(", ", ": "), (",", ":"), (" , ", " : "), (",\n", ":\n")])


def logs(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


@given(st.lists(LOG, max_size=5), st.lists(LOG, max_size=5), WORDS, ROWS, INDENTS, SEPARATORS, st.booleans())
def test_a_verdict_is_found_whatever_is_printed_around_it(
    before: list[str],
    after: list[str],
    status: str,
    rows: list[Any],
    indent: int | str | None,
    separators: tuple[str, str],
    ascii_only: bool,
) -> None:
    said = {"rows": rows}
    document = {"data": said, "status": status}
    printed = json.dumps(document, indent=indent, separators=separators, ensure_ascii=ascii_only)
    result = verdict.parse(f"{logs(before)}{printed}\n{logs(after)}", exit_code=0)
    assert (result.verdict, result.data) == (status, said)


@given(st.lists(LOG, max_size=4), st.lists(LOG, max_size=4), ROWS, SEPARATORS, st.sampled_from(["", "rows = ", "- "]))
def test_no_line_of_a_larger_document_is_a_verdict(
    before: list[str], after: list[str], rows: list[Any], separators: tuple[str, str], prefix: str
) -> None:
    lines = separators[0].rstrip() + "\n"
    inner = lines.join(json.dumps(row, separators=separators) for row in rows)
    printed = f'{prefix}{{"rows": [\n{inner}\n]\n}}'
    result = verdict.parse(f"{logs(before)}{printed}\n{logs(after)}", exit_code=0)
    assert result.cause in (Cause.NO_VERDICT, Cause.BAD_VERDICT)


@given(st.lists(LOG, max_size=4), ROWS, INDENTS, SEPARATORS, st.data())
def test_no_line_of_a_document_that_breaks_off_is_a_verdict(
    before: list[str], rows: list[Any], indent: int | str | None, separators: tuple[str, str], data: st.DataObject
) -> None:
    printed = json.dumps({"rows": rows, "status": "PENDING"}, indent=indent, separators=separators)
    length = data.draw(st.integers(1, len(printed) - 1))
    assert verdict.parse(logs(before) + printed[:length], exit_code=0).verdict is Verdict.ERROR


@given(st.lists(LOG, max_size=4), ROWS, INDENTS, SEPARATORS, st.data())
def test_no_line_of_a_document_without_its_beginning_is_a_verdict(
    after: list[str], rows: list[Any], indent: int | str | None, separators: tuple[str, str], data: st.DataObject
) -> None:
    printed = json.dumps({"status": "PENDING", "rows": rows}, indent=indent, separators=separators)
    begin = data.draw(st.integers(1, len(printed) - 1))
    result = verdict.parse(f"{printed[begin:]}\n{logs(after)}", exit_code=0, cut=True)
    assert result.verdict is Verdict.ERROR


@given(st.text(st.sampled_from('{}[],:"\\ \n\rsa1') | st.characters(), max_size=60), st.booleans())
def test_any_text_is_read_and_every_place_is_in_it(text: str, cut: bool) -> None:
    last = 0
    for each in answer_objects.objects(text, cut=cut):
        assert text[each.start] == "{"
        assert last <= each.start
        last = max(each.end, each.start)


@pytest.mark.parametrize(
    ("around", "found"),
    [
        ("{}", 1),
        ("x {}", 0),
        ("[{}]", 0),
        ("[\n{}\n]", 0),
        ("[\n{}\n", 0),
        ("{\n{}\n", 1),
        ("{\n{}\n}", 0),
        ("[,\n{}", 1),
        ('{"a":\n{}', 0),
        ('{"a": 1\n{}', 1),
        ("{}\n}", 0),
        ("{}\nbye }", 1),
        ("{" * 5000 + "\n{}", 1),
        ("{\n" * 5000 + "{}", 1),
    ],
)
def test_what_is_around_an_object_decides(around: str, found: int) -> None:
    printed = around.replace("{}", STATUS)
    assert sum(each.claims for each in answer_objects.objects(printed)) == found


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "{",
            "[",
            "}",
            "]",
            '"',
            "\\",
            ",",
            ":",
            " ",
            "\n",
            "\ufeff",
            "x ",
            "{\n",
            "[\n",
            "}\n",
            "{}\n",
            '{"a":',
            '{"a":\n',
        ),
        *(
            "[{",
            "]}",
            "[x]",
            '"\\',
            '"{\n',
            "\x1b",
            "\x1b[",
            "\x1b]",
            "1",
            f"{STATUS}\n",
            f"{STATUS} x\n",
            f"[{STATUS},\n",
        ),
        *(
            '{"status":200}\n',
            '{"status":\n',
            '{"status": "SUCCESS", ',
            "status: success ",
            "status ",
            "{'status':'ERROR'}\n",
        ),
        *("Traceback (most recent call last):\n", " x\n", "Error\n", "}\n"),
    ],
)
def test_reading_an_answer_takes_time_in_proportion_to_it(piece: str) -> None:
    def read(text: str) -> None:
        for exit_code in (0, 1):
            for cut in (False, True):
                verdict.parse(text, exit_code=exit_code, cut=cut, stderr=text)

    grows_linearly(read, lambda size: (piece * (size // len(piece) + 1))[:size] + "status", size=160_000)


@pytest.mark.parametrize(
    ("opening", "closing"), [("[", "]"), ("{", "}"), ("[{", "}]"), ('{"a":', "}"), ("{\n", "}\n"), ("[", "x]")]
)
def test_brackets_within_brackets_take_time_in_proportion_to_them(opening: str, closing: str) -> None:
    def nested(size: int) -> str:
        return opening * (size // 4) + closing * (size // 4) + "status"

    grows_linearly(answer_objects.objects, nested, size=400_000)


@pytest.mark.parametrize("between", ["[]", "[x]", "{}", "[x\n"])
def test_brackets_at_the_greatest_depth_take_time_in_proportion_to_them(between: str) -> None:
    def deep(size: int) -> str:
        return "[" * (answer_objects.MAX_DEPTH - 1) + between * (size // len(between))

    grows_linearly(answer_objects.objects, deep, size=400_000)
