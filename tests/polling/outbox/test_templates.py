"""Templates in webhook query values: keys of the payload, and no way to anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polling.outbox import templates
from polling.outbox.templates import TemplateError, check, render

PAYLOAD = {
    "job_id": 7,
    "job_name": "a&b=c #d",
    "status": "SUCCESS",
    "cause": None,
    "data": {"batch_id": "b-1", "count": 0, "ok": False, "ratio": 0.5, "deep": {"a-b": {"c": "x"}}, "list": [1, "é"]},
}


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{job_id}", "7"),
        ("x-{job_id}-y", "x-7-y"),
        ("{job_id}{job_id}", "77"),
        ("{job_name}", "a&b=c #d"),
        ("{data.batch_id}", "b-1"),
        ("{data.count}", "0"),
        ("{data.ok}", "false"),
        ("{data.ratio}", "0.5"),
        ("{data.deep.a-b.c}", "x"),
        ("{data.deep.a-b}", '{"c":"x"}'),
        ("{data.list}", '[1,"é"]'),
        ("[{cause}]", "[]"),
        ("[{data.nothing}]", "[]"),
        ("[{data.batch_id.upper}]", "[]"),
        ("[{data.list.append}]", "[]"),
        ("[{data.keys}]", "[]"),
        ("[{timestamp}]", "[]"),
    ],
)
def test_values_come_from_the_payload(template, rendered):
    check(template)
    assert render(template, PAYLOAD) == rendered


def test_an_unknown_name_is_refused_when_saved_and_empty_when_rendered():
    with pytest.raises(TemplateError, match="job_id, job_name"):
        check("{nope}")
    assert render("[{nope}]", PAYLOAD) == "[]"


@pytest.mark.parametrize("root", sorted(templates.ROOTS))
def test_every_name_of_the_payload_is_known(root):
    check(f"{{{root}}}")


@pytest.mark.parametrize(
    "template",
    [
        *("{data.__class__}", "{__class__}", "{data.a.__init__.b}", "{0}", "{data.0}", "{data[x]}", "{job_id!r}"),
        *(
            "{a:>999999999}",
            "{job_id:>9}",
            "{{",
            "}}",
            "{{job_id}}",
            "{",
            "}",
            "{}",
            "{ job_id }",
            "{job_id",
            "job_id}",
        ),
        *("{.}", "{data.}", "{.data}", "{data..a}", "{job_id\n}", "{ⅉob_id}", "{job{_id}}", "{data." + "a" * 65 + "}"),
        *("{data" + ".a" * 10 + "}", "{job_id}" * 21, "{job_id}" * 10_000, "x" * 2049),
    ],
)
def test_everything_else_in_braces_is_refused(template):
    with pytest.raises(TemplateError):
        check(template)
    with pytest.raises(TemplateError):
        render(template, PAYLOAD)


def test_a_long_value_is_cut_and_says_so():
    rendered = render("{data.a}", {"data": {"a": "x" * 60_000}})
    assert len(rendered) == 2048
    assert rendered.endswith("x…")


@given(st.text(st.sampled_from("{}ab._-0!:[] é")))
def test_a_template_is_refused_or_rendered_without_braces_left(template):
    try:
        check(template)
    except TemplateError:
        return
    assert not {"{", "}"} & set(render(template, {}))


@given(st.text(), st.text(st.characters(exclude_characters="{}"), max_size=500))
def test_a_value_is_never_read_as_a_template(value, around):
    expected = f"{around}{value}"
    assert render(f"{around}{{message}}", {"message": value}) == (
        expected if len(expected) <= 2048 else f"{expected[:2047]}…"
    )
