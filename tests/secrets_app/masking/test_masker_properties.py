"""For any secret and any text around it: no form of the secret is left."""

import base64
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secrets_app.masking.masker import MASK, Masker
from tests.secrets_app.masking.encodings import ENCODINGS
from tests.secrets_app.masking.oracle import leaked

# A secret that holds the mask's own sign could be put together from masks
SIGNS = st.characters(exclude_categories=["Cs"], exclude_characters="*\0")
secrets = st.one_of(
    st.text(SIGNS, min_size=6, max_size=60),
    st.text("ab1+/=\"'\\ \n%&<-_~é", min_size=6, max_size=60),
    st.binary(min_size=6, max_size=90).map(lambda data: base64.b64encode(data).decode()),
)
around = st.text("ab1+/=\"'\\ \n%&<é", max_size=12)


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@given(secret=secrets, before=around, after=around)
def test_no_encoded_form_of_a_secret_survives(
    encode: Callable[[str], str], secret: str, before: str, after: str
) -> None:
    written = encode(secret)
    assert written not in Masker([secret]).text(f"{before}{written}{after}")


@pytest.mark.parametrize("name", ["raw", "json", "url, nothing safe", "html text", "hex", "base64"])
@given(secret=secrets)
def test_no_reading_of_a_masked_text_gives_the_secret(name: str, secret: str) -> None:
    assert not leaked(secret, Masker([secret]).text(f"({ENCODINGS[name](secret)})"))


@given(secret=secrets, before=st.binary(max_size=7), after=st.binary(max_size=7), url=st.booleans())
def test_base64_is_found_at_every_alignment(secret: str, before: bytes, after: bytes, url: bool) -> None:
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    masked = Masker([secret]).text(encode(before + secret.encode() + after).decode())
    assert not leaked(secret, masked)
    assert MASK in masked


@given(found=st.lists(secrets, max_size=5), text=st.text(max_size=200))
def test_a_text_is_only_changed_where_a_secret_is(found: list[str], text: str) -> None:
    masked = Masker(found).text(text)
    assert masked == text or MASK in masked
    assert Masker(found).text(masked) == masked


@given(found=st.lists(secrets, min_size=1, max_size=5), text=around)
def test_every_one_of_several_secrets_is_masked(found: list[str], text: str) -> None:
    masked = Masker(found).text(text.join(found))
    assert not any(secret in masked for secret in found)


@given(secret=secrets, text=st.text("ab1+", max_size=40))
def test_data_is_masked_as_its_texts_are(secret: str, text: str) -> None:
    masker = Masker([secret])
    assert masker.data({text: [text, {"a": text + secret}]}) == {
        masker.text(text): [masker.text(text), {"a": masker.text(text + secret)}]
    }


@given(secret=secrets, place=st.integers(0, 60), gap=st.integers(0, 10))
def test_a_cut_secret_shows_three_characters_a_side_at_most(secret: str, place: int, gap: int) -> None:
    left, right = secret[:place], secret[place + gap :]
    head, tail = Masker([secret]).cut_text(left, right)
    assert len(left) < 4 or not head.endswith(left)
    assert len(right) < 4 or not tail.startswith(right)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
)


@given(value=json_values)
def test_data_without_the_secret_stays_as_it_is(value: object) -> None:
    assert json.dumps(Masker(["a secret of another kind"]).data(value)) == json.dumps(value)
