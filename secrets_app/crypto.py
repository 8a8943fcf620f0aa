"""AES-256-GCM for the values of secrets, and the ring of keys that can be rotated."""

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

KEY_BYTES = 32
NONCE_BYTES = 12
VERSION = "v1"
_KID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_NEW_KEY = "Make one with: openssl rand -base64 32"

# 32 random bytes have fewer than 16 different ones, or are all printable, once in more than 10^12 keys
_FEWEST_DIFFERENT_BYTES = 16


class KeyRingError(Exception):
    """TECKO_KEYS cannot be used. The message names the entry and never shows a key."""


class DecryptionFailed(Exception):
    """A stored secret cannot be read. The message is safe to show."""


@dataclass(frozen=True)
class KeyFault:
    """What is wrong with an entry of TECKO_KEYS; ``number`` is the system check's."""

    number: int
    problem: str
    remedy: str


@dataclass(frozen=True)
class _Entry:
    place: str
    kid: str
    encoded: str = field(repr=False)
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class KeyRing:
    """Keys by their id. ``primary`` encrypts, all decrypt."""

    primary: str
    keys: dict[str, bytes] = field(repr=False)

    @classmethod
    def from_settings(cls) -> Self:
        """Raises KeyRingError for every setting that the system checks report."""
        return cls.parse(settings.TECKO_KEYS, secret_key=str(settings.TECKO_SECRET_KEY))

    @classmethod
    def parse(cls, words: Iterable[str], *, secret_key: str) -> Self:
        words = list(words)
        for fault in faults(words, secret_key=secret_key):
            raise KeyRingError(f"{fault.problem} {fault.remedy}")
        entries = [_entry(place, word) for place, word in _numbered(words)]
        return cls(primary=entries[0].kid, keys={entry.kid: entry.key for entry in entries})

    def encrypt(self, plaintext: str, *, row: UUID) -> str:
        """``v1:<kid>:<base64 of nonce, ciphertext and tag>``, readable only for the same row."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(self.keys[self.primary]).encrypt(nonce, _utf8(plaintext), _bound_to(row, self.primary))
        return f"{VERSION}:{self.primary}:{base64.b64encode(nonce + sealed).decode()}"

    def decrypt(self, token: str, *, row: UUID) -> str:
        """Raises DecryptionFailed where the key is gone, or the text was changed or moved to another row."""
        kid, sealed = _opened(token)
        if kid not in self.keys:
            raise DecryptionFailed(f"The key {kid!r} that encrypted it is not in TECKO_KEYS.")
        try:
            plain = AESGCM(self.keys[kid]).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound_to(row, kid))
        except (InvalidTag, ValueError):
            raise DecryptionFailed("Its stored text was changed or belongs to another secret.") from None
        return plain.decode()


def fingerprint(key: bytes) -> str:
    """Tells keys apart and nothing of them: they are random, and too long to be guessed."""
    return hmac.new(key, b"tecko:fingerprint", hashlib.sha256).hexdigest()


def key_id(token: str) -> str:
    """The id of the key that a stored text names, or an empty string for a text of another form."""
    parts = token.split(":")
    return parts[1] if len(parts) == 3 and parts[0] == VERSION else ""


def faults(words: Iterable[str], *, secret_key: str) -> list[KeyFault]:
    """Everything that is wrong with TECKO_KEYS, in its order."""
    words = list(words)
    if not words:
        return [KeyFault(1, "TECKO_KEYS is missing: secrets cannot be stored.", f"Set kid:key. {_NEW_KEY}")]
    found: list[KeyFault] = []
    seen: set[str] = set()
    for place, word in _numbered(words):
        try:
            entry = _entry(place, word)
        except KeyRingError as error:
            found.append(KeyFault(2, str(error), f"An entry is kid:base64 of {KEY_BYTES} bytes. {_NEW_KEY}"))
            continue
        found.extend(_faults_of(entry, seen=seen, secret_key=secret_key))
        seen.add(entry.kid)
    return found


def _faults_of(entry: _Entry, *, seen: set[str], secret_key: str) -> Iterator[KeyFault]:
    if entry.kid in seen:
        yield KeyFault(3, f"{entry.place} uses the key id {entry.kid!r} again.", "Give every key its own id.")
    if _is_placeholder(entry.key):
        yield KeyFault(4, f"{entry.place} is a placeholder or typed text, not a random key.", _NEW_KEY)
    if entry.encoded in secret_key or entry.key in secret_key.encode():
        yield KeyFault(5, f"{entry.place} is the key that TECKO_SECRET_KEY holds too.", _NEW_KEY)


def _numbered(words: list[str]) -> list[tuple[str, str]]:
    return [(f"Entry {number} of TECKO_KEYS", word) for number, word in enumerate(words, start=1)]


def _entry(place: str, word: str) -> _Entry:
    kid, colon, encoded = word.partition(":")
    if not colon or not _KID.fullmatch(kid):
        raise KeyRingError(f"{place} has no key id of 1 to 32 letters, digits, - or _ before a colon.")
    try:
        key = base64.b64decode(encoded.translate(str.maketrans("-_", "+/")), validate=True)
    except ValueError:
        raise KeyRingError(f"{place} is not base64.") from None
    if len(key) != KEY_BYTES:
        raise KeyRingError(f"{place} is a key of {len(key)} bytes, not of {KEY_BYTES}.")
    return _Entry(place, kid, encoded, key)


def _is_placeholder(key: bytes) -> bool:
    steps = {(after - before) % 256 for before, after in pairwise(key)}
    is_text = all(32 <= byte < 127 for byte in key)
    return len(set(key)) < _FEWEST_DIFFERENT_BYTES or len(steps) == 1 or is_text


def _bound_to(row: UUID, kid: str) -> bytes:
    return f"tecko:secret:{row}:{kid}".encode()


def _utf8(plaintext: str) -> bytes:
    try:
        return plaintext.encode()
    except UnicodeEncodeError:
        # The original error carries the value
        raise ValueError("The text holds half of a surrogate pair, which UTF-8 cannot write.") from None


def _opened(token: str) -> tuple[str, bytes]:
    kid = key_id(token)
    if not kid:
        raise DecryptionFailed("Its stored text has an unknown form.")
    try:
        return kid, base64.b64decode(token.rpartition(":")[2], validate=True)
    except ValueError:
        raise DecryptionFailed("Its stored text was changed or belongs to another secret.") from None
