"""YAML that people write is read strictly, and what is written is read the same."""

import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from teckochecker.kit import safe_yaml
from teckochecker.kit.safe_yaml import NotUsable, read, written

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.from_regex(
    r"[-+0-9._eExo:~nyNYtrufals]{1,9}"
)
NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
VALUES: Any = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
@example({"\x85": "a\x85b", "\u2028": ["\u2029"]})
def test_what_is_written_is_read_the_same(value: Any) -> None:
    found = read(written(value).encode())
    assert found == value
    assert repr(found) == repr(value)


WORDS = ("no", "on", "yes", "off", "NO", "2026-01-31", "12:30:00", "0x1f", "1_000", "=", "<<", "1e5")
HOSTILE = ("[" * 500_000, "{a: " * 200_000, "- " * 400_000, "a: [" + "1," * 400_000, '"' * 900_000)


@pytest.mark.parametrize("word", WORDS)
def test_a_plain_word_is_a_text(word: str) -> None:
    assert read(f"a: {word}".encode()) == {"a": word}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: &x 1", "anchors"),
        ("a: &x [1]\nb: *x", "anchors"),
        ("a: *x", "anchors"),
        ("a: !!python/object/apply:os.system [id]", "tag"),
        ("a: !!binary aGk=", "tag"),
        ("!x {}", "tag"),
        ("%TAG ! x\n---\na: 1", "begins with %TAG"),
        ("\ufeff%TAG ! x\n---\na: 1", "begins with %TAG"),
        ("a: 1\n...\n" + "".join(f"%TAG !{number:x}! x\n" for number in range(60_000)) + "---\n", "begins with %TAG"),
        ("a: 1\na: 2", "twice"),
        ("1: a", "a key is no text"),
        ("true: a", "a key is no text"),
        ("? [a]\n: b", "a key is no text"),
        ("a\n---\nb", "not one document"),
        ("", "not one document"),
        ("a: [1", "in line"),
        ("a:\n\tb: 1", "line 2"),
        ("[" * 41 + "]" * 41, "nested"),
        ("a" * (1024 * 1024 + 1), "1 MB"),
        ("a: \x00", "characters"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(NotUsable, match=why):
        read(text.encode())


def test_what_is_no_utf8_is_refused() -> None:
    with pytest.raises(NotUsable, match="UTF-8"):
        read(b"a: \xff")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_document_is_refused_without_effort(text: str) -> None:
    began = time.process_time()
    with pytest.raises(NotUsable):
        read(text.encode())
    assert time.process_time() - began < 20


def test_a_large_honest_document_is_read() -> None:
    jobs = [{"name": f"job {number}", "check_params": {"a": [1, 2, {"b": None}]}} for number in range(500)]
    assert safe_yaml.read(written({"jobs": jobs}).encode()) == {"jobs": jobs}
