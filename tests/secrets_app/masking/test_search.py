"""Very many needles are found as a few are, and quickly."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secrets_app.masking.masker import MASK, Masker
from secrets_app.masking.search import Search

OTHERS = [f"other-{number:06}" for number in range(1000)]
SHORT_LINES = "\n".join(f"{number:07x}" for number in range(8000))
SECRETS = {
    "short lines": SHORT_LINES,
    "indented lines": "\n".join(f"      {number:05x}" for number in range(5300)),
    "one beginning": "\n".join(f"prefix{number:05x}" for number in range(5300)),
    "each longer than the last": "\n".join("a" * length for length in range(6, 360)),
    "long lines": "\n".join(f"{number:04}" * 500 for number in range(30)),
}
texts = st.text("ab", max_size=60)
needles = st.lists(st.text("ab", min_size=6, max_size=20), max_size=12)


def covered(spans: list[tuple[int, int]]) -> set[int]:
    return {place for start, end in spans for place in range(start, end)}


@given(text=texts, found=needles)
def test_the_same_characters_are_found_among_few_and_among_many(text: str, found: list[str]) -> None:
    few, many = Search(sorted({*found})), Search(sorted({*found, *OTHERS}))
    assert covered(list(few.spans(text))) == covered(list(many.spans(text)))


@given(text=texts, found=needles)
def test_every_occurrence_is_found(text: str, found: list[str]) -> None:
    expected = [
        (place, place + len(needle)) for needle in found for place in range(60) if text.startswith(needle, place)
    ]
    assert covered(list(Search(sorted({*found, *OTHERS})).spans(text))) == covered(expected)


@pytest.mark.parametrize("length", [999, 1000, 1001, 5000])
def test_long_needles_are_found_among_many(length: int) -> None:
    needle = "other-" + "x" * (length - 6)
    spans = list(Search(sorted([needle, *OTHERS])).spans(f"<{needle}>"))
    assert spans == [(1, length + 1)]


@pytest.fixture(scope="module", params=SECRETS.values(), ids=list(SECRETS))
def masker(request: pytest.FixtureRequest) -> Masker:
    return Masker([request.param])


@pytest.mark.xdist_group("masker")  # whose makings take seconds: one process makes each once
@pytest.mark.parametrize(
    "data",
    [
        list(range(100_000, 110_000)),
        ["      prefix aaaaaab" + "x" * 100] * 500,
        ["      prefixaaaaaab"] * 3000,
        [f"{number:06}" for number in range(8000)],
        "      prefix aaaaaab xx" * 2800,
        ["0001" * 16] * 1000,
    ],
    ids=["numbers", "strings", "likely strings", "short strings", "text", "parts"],
)
def test_64_kb_of_data_are_masked_in_a_second(masker: Masker, data: object) -> None:
    started = time.process_time()
    masker.data({"data": data})
    assert time.process_time() - started < 1


def test_a_number_among_very_many_needles_becomes_the_mask() -> None:
    assert Masker([SHORT_LINES + "\n8123456"]).data([8123456, 7123456]) == [MASK, 7123456]
