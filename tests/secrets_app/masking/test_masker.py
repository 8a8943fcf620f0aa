"""Secrets are found in every form that is promised, and in no other."""

import base64
import codecs
import gzip
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings

from secrets_app.masking.masker import MASK, Masker
from tests.secrets_app.masking.encodings import ENCODINGS
from tests.secrets_app.masking.oracle import leaked

PEM_LINES = [base64.b64encode(bytes(range(start, start + 48))).decode() for start in range(0, 96, 12)]
SECRETS = {
    "token": "sk-Ab3/9+xZ_q7Lw==",
    "short": "a/b+c?",
    "unicode": "pässwörd–🔑✓",
    "quotes": """it's "so" \\ $HOME `id` <b>&amp;""",
    "lines": "first line\nsecond 'line'\nthird \"line\"",
    "pem": "\n".join(["-----BEGIN KEY-----", *PEM_LINES, "-----END KEY-----", ""]),
    "json": json.dumps({"client": "tecko", "key": "Zq8/Vx+1"}, indent=2),
}

every_secret = pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
every_encoding = pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)


def windows(text: str) -> set[str]:
    return {text[start : start + 6] for start in range(len(text) - 5)}


@every_secret
@every_encoding
def test_no_form_of_a_secret_is_left_in_a_text(secret: str, encode: Callable[[str], str]) -> None:
    text = f"before {encode(secret)} after"
    masked = Masker([secret]).text(text)
    assert leaked(secret, text)
    assert not leaked(secret, masked)
    assert masked.startswith("before ")
    assert masked.endswith(" after")


@every_secret
@every_encoding
def test_no_form_of_a_secret_is_left_in_data(secret: str, encode: Callable[[str], str]) -> None:
    data = {"list": [{encode(secret): 1}, encode(secret)], "text": f"<{encode(secret)}>", "number": 5}
    masked = Masker([secret]).data(data)
    assert not leaked(secret, json.dumps(masked))
    assert not leaked(secret, json.dumps(masked, ensure_ascii=False))
    assert masked["number"] == 5


@every_secret
@pytest.mark.parametrize("name", ["raw", "json", "url, nothing safe", "html", "repr", "hex"])
def test_no_six_characters_of_a_written_secret_are_left(secret: str, name: str) -> None:
    written = ENCODINGS[name](secret)
    assert not windows(written) & windows(Masker([secret]).text(f"({written})"))


@pytest.mark.parametrize("line", [line for line in SECRETS["pem"].splitlines() if line])
@every_encoding
def test_every_line_of_a_secret_is_a_secret(line: str, encode: Callable[[str], str]) -> None:
    assert not leaked(line, Masker([SECRETS["pem"]]).text(f"{encode(line)}"))


@pytest.mark.parametrize("ending", ["\r\n", "\n    ", "", "\\n", "\\r\\n"])
def test_a_key_is_found_with_other_line_endings(ending: str) -> None:
    masked = Masker([SECRETS["pem"]]).text(SECRETS["pem"].replace("\n", ending))
    assert not any(line in masked for line in PEM_LINES)


def test_a_key_that_was_stored_with_escaped_line_endings_is_found_with_real_ones() -> None:
    stored = SECRETS["pem"].replace("\n", "\\n")
    masked = Masker([stored]).text(SECRETS["pem"])
    assert not any(line in masked for line in PEM_LINES)


def test_one_line_of_a_key_that_was_stored_with_escaped_line_endings_is_found_alone() -> None:
    assert Masker([SECRETS["pem"].replace("\n", "\\n")]).text(f"<{PEM_LINES[2]}>") == f"<{MASK}>"


@pytest.mark.parametrize("columns", [60, 64, 76])
def test_base64_is_found_across_its_lines_wherever_it_begins(columns: int) -> None:
    encoded = base64.b64encode(b"user:" + SECRETS["pem"].encode()).decode()
    wrapped = "\n".join(encoded[start : start + columns] for start in range(0, len(encoded), columns))
    assert not windows(encoded[8:-8]) & windows(Masker([SECRETS["pem"]]).text(wrapped))


def test_overlapping_secrets_leave_nothing_between_them() -> None:
    assert Masker(["abcdefgh", "fghijklm"]).text("<abcdefghijklm>") == f"<{MASK}>"


def test_a_secret_within_another_leaves_no_rest_of_it() -> None:
    assert Masker(["password", "password-and-more"]).text("password-and-more password") == f"{MASK} {MASK}"


@pytest.mark.parametrize("secret", ["aaaaaa", "xABCDEFx", "abcabcabc"])
def test_a_secret_that_overlaps_itself_is_masked_as_a_whole(secret: str) -> None:
    period = next(size for size in range(1, 9) if secret.startswith(secret[size:]))
    assert Masker([secret]).text(f"<{secret}{secret[-period:]}{secret[-period:]}>") == f"<{MASK}>"


def test_occurrences_that_share_less_than_a_period_are_both_masked() -> None:
    assert Masker(["aabaaXaabaa"]).text("<aabaaXaabaabaaXaabaa>") == f"<{MASK}>"
    assert Masker(["aabaaXaabaa"]).text("<aabaaXaabaaabaaXaabaa>") == f"<{MASK}>"


def test_a_text_without_a_secret_stays_as_it_is() -> None:
    text = "nothing\nhere \\n %20 &amp; c2VjcmV0"
    assert Masker(["canary-123"]).text(text) == text


def test_values_too_short_to_be_told_apart_are_ignored() -> None:
    assert Masker(["", "a", "12345"]).text("a 12345") == "a 12345"


def test_many_secrets_are_all_found() -> None:
    secrets = [f"canary-{number:04}" for number in range(500)]
    assert Masker(secrets).text(" ".join(secrets)) == " ".join([MASK] * 500)


def test_a_megabyte_is_searched_for_a_secret_of_very_many_lines_in_two_seconds() -> None:
    masker = Masker(["\n".join(f"{number:08x}" for number in range(7000))])
    text = "nothing to be found here\n" * 40_000
    started = time.process_time()
    assert masker.text(text) == text
    assert time.process_time() - started < 2


def test_status_words_are_masked_like_any_other_secret() -> None:
    # The runner reads the verdict before it masks, so that such a secret cannot change it
    assert Masker(["SUCCESS"]).data({"status": "SUCCESS", "done": True}) == {"status": MASK, "done": True}


class TestData:
    def test_keys_are_masked_too(self) -> None:
        assert Masker(["canary-123"]).data({"canary-123": {"x canary-123": []}}) == {MASK: {f"x {MASK}": []}}

    @pytest.mark.parametrize(
        ("secret", "number"),
        [
            ("123456", 123456),
            ("123456", -123456),
            ("123456", 9912345699),
            ("1234567", 1234567.0),
            ("1234567.50", 1234567.5),
            ("00123456", 123456),
            ("12345678901234567890", 12345678901234567890),
            ("12345678901234567890", 12345678901234567890.0),
            ("912345", 9.12345e19),
        ],
    )
    def test_a_number_that_is_or_holds_a_secret_becomes_the_mask(self, secret: str, number: float) -> None:
        assert Masker([secret]).data([number]) == [MASK]

    @pytest.mark.parametrize("value", [None, True, False, 0, 12345, 1.5, -1, float("inf")])
    def test_other_values_stay(self, value: Any) -> None:
        masked = Masker(["000000", "123456", "none-true-false"]).data({"a": value})
        assert masked == {"a": value}
        assert type(masked["a"]) is type(value)

    def test_what_lies_deeper_than_anybody_reads_becomes_the_mask(self) -> None:
        deep: list[Any] = ["canary-123"]
        for _ in range(5000):
            deep = [deep]
        masked = Masker(["canary-123"]).data(deep)
        for _ in range(101):
            [masked] = masked
        assert masked == MASK

    def test_without_a_secret_data_is_not_touched(self) -> None:
        data = {"a": ["x"]}
        assert Masker([]).data(data) is data


class TestCutText:
    @pytest.mark.parametrize("encode", [str, lambda text: base64.b64encode(text.encode()).decode()])
    @pytest.mark.parametrize("secret", [SECRETS["token"], SECRETS["pem"]])
    def test_a_secret_that_was_cut_leaves_three_characters_a_side_at_most(
        self, secret: str, encode: Callable[[str], str]
    ) -> None:
        written = encode(secret)
        masker = Masker([secret])
        for place in range(len(written) + 1):
            head, tail = masker.cut_text(f"head {written[:place]}", f"{written[place:]} tail")
            # A line that is not whole and stands alone may be shorter than what can be told apart
            assert len(head.removeprefix("head ").replace(MASK, "")) <= 6
            assert len(tail.removesuffix(" tail").replace(MASK, "")) <= 6

    def test_the_cut_may_have_dropped_a_part(self) -> None:
        assert Masker(["canary-123456"]).cut_text("x canary", "456 y") == (f"x {MASK}", "456 y")
        assert Masker(["canary-123456"]).cut_text("x can", "3456 y") == ("x can", f"{MASK} y")

    def test_wrapped_base64_is_found_where_it_was_cut(self) -> None:
        wrapped = base64.encodebytes(SECRETS["pem"].encode()).decode()
        head, tail = Masker([SECRETS["pem"]]).cut_text(wrapped[:200], wrapped[300:])
        assert head == MASK
        assert tail.strip() == MASK

    def test_a_cut_through_a_character_hides_nothing(self) -> None:
        data = "x pässwörterbuch y".encode()
        place = data.index("ö".encode()) + 1
        head, tail = data[:place].decode(errors="replace"), data[place:].decode(errors="replace")
        assert (head[-1], tail[0]) == ("\ufffd", "\ufffd")
        assert Masker(["pässwörterbuch"]).cut_text(head, tail) == (f"x {MASK}", f"{MASK} y")

    def test_whole_secrets_are_masked_on_both_sides(self) -> None:
        masker = Masker(["canary-123456"])
        assert masker.cut_text("a canary-123456 b", "c canary-123456 d") == (f"a {MASK} b", f"c {MASK} d")

    def test_nothing_is_masked_without_a_secret(self) -> None:
        assert Masker([]).cut_text("head", "tail") == ("head", "tail")
        assert Masker(["canary-123456"]).cut_text("", "") == ("", "")


# By what docs/security.md calls it
NOT_MASKED: dict[str, Callable[[str], str]] = {
    "reversed": lambda secret: secret[::-1],
    "compressed": lambda secret: gzip.compress(secret.encode()).hex(),
    "encrypted": lambda secret: codecs.encode(secret, "rot13"),
    "cut into parts": lambda secret: f"{secret[:9]} {secret[9:]}",
    "a sign between all of its characters": lambda secret: " ".join(secret),
    "in changed case": lambda secret: secret.swapcase(),
    "base64 of base64": lambda secret: base64.b64encode(base64.b64encode(secret.encode())).decode(),
    "base32": lambda secret: base64.b32encode(secret.encode()).decode(),
    "base85": lambda secret: base64.b85encode(secret.encode()).decode(),
    "hashed": lambda secret: hashlib.sha256(secret.encode()).hexdigest(),
    "a dump that shows a few bytes a line": lambda secret: "\n".join(
        f"{place:08x}: {secret[place : place + 4].encode().hex(' ')}  {secret[place : place + 4]}"
        for place in range(0, len(secret), 4)
    ),
}


@pytest.mark.parametrize("transform", NOT_MASKED.values(), ids=NOT_MASKED)
def test_what_a_script_transforms_on_purpose_is_not_masked(transform: Callable[[str], str]) -> None:
    text = transform(SECRETS["token"])
    assert Masker([SECRETS["token"]]).text(text) == text


@pytest.mark.parametrize("name", NOT_MASKED)
def test_what_is_not_masked_is_documented(name: str) -> None:
    page = " ".join((settings.BASE_DIR / "docs" / "security.md").read_text().split())
    assert name in page.partition("Not masked")[2].partition("A secret has at least")[0]


@pytest.mark.parametrize(
    ("secret", "unit"),
    [
        ("sk-0123456789abcdefghijklmnopqrstuvwxyz", "sk-0123456789abcdefghijklmnopqrstuvwxy "),
        ("a" * 40 + "b", "a"),
        ("a" * 65535 + "b", "a"),
        ("a" * 65536, "a"),
        ("a" * 30 + "b" + "a" * 30, "a" * 30 + "b"),
        ("x" * 40, "\\"),
        ("x" * 40, "\n   "),
        (SECRETS["pem"], SECRETS["pem"][:-30]),
    ],
    ids=["token", "short run", "long run", "only matches", "period", "backslashes", "line breaks", "pem"],
)
def test_a_megabyte_of_near_matches_takes_less_than_a_second(secret: str, unit: str) -> None:
    masker = Masker([secret])
    text = unit * (1_000_000 // len(unit))
    started = time.process_time()
    masker.text(text)
    masker.cut_text(text[:65536], text[-65536:])
    assert time.process_time() - started < 1
