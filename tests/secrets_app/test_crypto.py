"""AES-256-GCM bound to the row, and keys that are refused."""

import base64
import os
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secrets_app.crypto import DecryptionFailed, KeyRing, KeyRingError, key_id

SECRET_KEY = "s" * 60
ROW = uuid4()


def word(kid: str, key: bytes | None = None) -> str:
    return f"{kid}:{base64.b64encode(os.urandom(32) if key is None else key).decode()}"


def ring(*words: str) -> KeyRing:
    return KeyRing.parse(words, secret_key=SECRET_KEY)


RING = ring(word("k1"))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_is_read_back_as_it_was(text: str) -> None:
    assert RING.decrypt(RING.encrypt(text, row=ROW), row=ROW) == text


def test_a_token_names_its_version_and_key_and_holds_no_plaintext() -> None:
    token = RING.encrypt("plaintext", row=ROW)
    version, kid, sealed = token.split(":")
    assert (version, kid) == ("v1", "k1")
    assert len(base64.b64decode(sealed)) == 12 + len("plaintext") + 16
    assert b"plaintext" not in base64.b64decode(sealed)


def test_the_key_has_256_bits() -> None:
    assert {len(key) for key in RING.keys.values()} == {32}


def test_no_nonce_is_used_twice() -> None:
    nonces = {base64.b64decode(RING.encrypt("x", row=ROW).split(":")[2])[:12] for _ in range(20_000)}
    assert len(nonces) == 20_000


def test_a_token_that_was_moved_to_another_row_is_refused() -> None:
    token = RING.encrypt("plaintext", row=uuid4())
    with pytest.raises(DecryptionFailed):
        RING.decrypt(token, row=ROW)


@pytest.mark.parametrize("place", [0, 11, 12, 20, -1])
def test_a_flipped_bit_is_refused(place: int) -> None:
    prefix, _, sealed = RING.encrypt("plaintext", row=ROW).rpartition(":")
    data = bytearray(base64.b64decode(sealed))
    data[place] ^= 1
    with pytest.raises(DecryptionFailed):
        RING.decrypt(f"{prefix}:{base64.b64encode(data).decode()}", row=ROW)


def test_a_token_whose_key_id_was_changed_is_refused() -> None:
    key = os.urandom(32)
    both = ring(word("k1", key), word("k2", key))
    token = both.encrypt("plaintext", row=ROW).replace("v1:k1:", "v1:k2:")
    with pytest.raises(DecryptionFailed):
        both.decrypt(token, row=ROW)


@pytest.mark.parametrize("token", ["", "v1:k1", "v1:k1:", "v1:k1:AAAA", "v1:k1:?", "v2:k1:AAAA", "v1:k1:é", "plain"])
def test_a_text_of_another_form_is_refused(token: str) -> None:
    with pytest.raises(DecryptionFailed):
        RING.decrypt(token, row=ROW)


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    old, new = word("old"), word("new")
    token = ring(old).encrypt("plaintext", row=ROW)
    both = ring(new, old)
    assert both.decrypt(token, row=ROW) == "plaintext"
    assert key_id(both.encrypt("plaintext", row=ROW)) == "new"


def test_a_key_that_is_gone_is_named() -> None:
    token = ring(word("old")).encrypt("plaintext", row=ROW)
    with pytest.raises(DecryptionFailed, match="'old'"):
        RING.decrypt(token, row=ROW)


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_key_of_another_length_than_32_bytes_is_refused(length: int) -> None:
    with pytest.raises(KeyRingError, match=f"{length} bytes"):
        ring(word("k1", os.urandom(length)))


@pytest.mark.parametrize("text", ["k1", ":AAAA", "k 1:AAAA", "k1:not base64!", "k1:é", f"{'k' * 33}:AAAA"])
def test_a_malformed_entry_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(KeyRingError) as caught:
        ring(word("k0"), text)
    assert "Entry 2" in str(caught.value)
    assert text not in str(caught.value)


def test_the_url_alphabet_of_base64_is_read_too() -> None:
    key = b"\xff\xef" * 8 + os.urandom(16)
    assert ring(f"k1:{base64.urlsafe_b64encode(key).decode()}").keys == {"k1": key}


def test_a_ring_shows_no_key() -> None:
    entry = word("k1")
    shown = repr(ring(entry))
    assert "k1" in shown
    assert repr(base64.b64decode(entry[3:]))[2:12] not in shown
    assert entry[3:13] not in shown


def test_an_error_of_encoding_carries_no_plaintext() -> None:
    with pytest.raises(ValueError, match="surrogate") as caught:
        RING.encrypt("plaintext\ud800", row=ROW)
    assert caught.value.__cause__ is None
    assert "plaintext" not in repr(caught.value)
