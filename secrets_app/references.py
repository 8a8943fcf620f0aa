"""``secret_ref:5`` and ``secret_ref:name`` in the values of a job: checked when saved, resolved when used."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from secrets_app.crypto import DecryptionFailed, KeyRingError
from secrets_app.masking.masker import Masker
from secrets_app.models import Secret, SecretGrant, SecretUse
from teckochecker.kit import declared
from teckochecker.kit.declared import Secrets

PREFIX = "secret_ref:"
MOST_IN_A_VALUE = 20
MOST_IN_A_JOB = 100
# Linux takes no longer variable
LONGEST_VALUE = 128 * 1024
LONGEST_VALUES = 1024 * 1024

# What may follow keeps "secret_ref:1;2" and a digit of another script from being read as secret 1
_TOKEN = re.compile(
    r"(?P<token>[A-Za-z0-9_]++(?:[.-]++[A-Za-z0-9_]++)*+)(?=\Z|[\s\"'&,/:@?#|.!)}\]>]|;(?:\s|\Z))",
)
_LONGEST_ID = 18


class ReferenceError_(ValueError):
    """A value has ``secret_ref:`` without a secret's number or name, or too often. The message is safe to show."""


class InvalidReferences(ValueError):
    """``errors`` has a message, safe to show, for every key whose value cannot be used."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("; ".join(f"{key}: {message}" for key, message in errors.items()))
        self.errors = errors


class SecretMissing(Exception):
    """A job cannot get a secret that it refers to. The message is safe to show."""


class KeysWrong(SecretMissing):
    """The secret is there and the job may use it, but this host's keys do not read it."""


@dataclass(frozen=True)
class Reference:
    """``start`` and ``end`` are its place in the value; ``token`` is the secret's number or name."""

    token: str
    start: int
    end: int

    @property
    def id(self) -> int | None:
        return int(self.token) if self.token.isdecimal() else None

    def among(self, secrets: Iterable[Secret]) -> Secret | None:
        """A number is an id, never a name."""
        wanted = self.id
        for secret in secrets:
            if secret.pk == wanted if wanted is not None else secret.name == self.token:
                return secret
        return None


@dataclass(frozen=True)
class Resolved:
    """Values with the secrets in them, and the masker of exactly these secrets."""

    values: dict[str, str] = field(repr=False)
    masker: Masker


def find(value: str) -> list[Reference]:
    """Raises ReferenceError_."""
    if value.count(PREFIX) > MOST_IN_A_VALUE:
        raise ReferenceError_(f"A value refers to secrets at most {MOST_IN_A_VALUE} times.")
    return [_reference(value, found.start(), found.end()) for found in re.finditer(PREFIX, value)]


def texts(value: object) -> Mapping[str, str]:
    """The strings in an object or a list, whose places name them; what is none is refused by the field's validator."""
    listed = value if isinstance(value, list) else []
    entries = value if isinstance(value, dict) else {str(place): text for place, text in enumerate(listed)}
    return {key: text for key, text in entries.items() if isinstance(text, str)}


def held_by(row: Any, *how: Secrets) -> dict[str, str]:
    """All texts of a row that can refer to secrets, as its table declares, by field or as ``env_vars.API_KEY``."""
    found: dict[str, str] = {}
    for column in declared.of(row).holding(*how):
        value = getattr(row, column)
        if isinstance(value, str):
            found[column] = value
        found |= {f"{column}.{key}": text for key, text in texts(value).items()}
    return found


def check(row: Any, *, user: User | AnonymousUser) -> list[Secret]:
    """The secrets that a row refers to, each once. Raises ValidationError, by field."""
    try:
        return validate(held_by(row), user=user)
    except InvalidReferences as error:
        raise ValidationError(dict(error.errors)) from None


def validate(values: Mapping[str, str], *, user: User | AnonymousUser) -> list[Secret]:
    """The secrets that the values refer to, each once. Raises InvalidReferences.

    A secret that the user may not use and one that does not exist are told apart by nothing.
    """
    errors: dict[str, str] = {}
    references: list[tuple[str, Reference]] = []
    for key, value in values.items():
        try:
            references += [(key, reference) for reference in find(value)]
        except ReferenceError_ as error:
            errors[key] = str(error)
    known = _usable([reference for _, reference in references], user)
    found: dict[int, Secret] = {}
    for key, reference in references:
        if secret := reference.among(known):
            found[secret.pk] = secret
        else:
            errors.setdefault(key, f"There is no secret {reference.token!r} that you may use.")
    if errors:
        raise InvalidReferences(errors)
    return list(found.values())


@transaction.atomic
def grant(
    secrets: Iterable[Secret], *, job_kind: str, job_id: int, user: User | None, kept: Iterable[int | None] = ()
) -> None:
    """Makes the grants of a job exactly these, given by this user; none when ``secrets`` is empty.

    ``kept``: numbers of secrets whose grant stays as it is, whoever gave it.
    """
    wanted = {secret.pk for secret in secrets}
    stay = {number for number in (*wanted, *kept) if number is not None}
    SecretGrant.objects.filter(job_kind=job_kind, job_id=job_id).exclude(secret_id__in=stay).delete()
    for secret_id in wanted:
        SecretGrant.objects.update_or_create(
            secret_id=secret_id, job_kind=job_kind, job_id=job_id, defaults={"granted_by": user}
        )


def resolve(
    values: Mapping[str, str],
    *,
    job_kind: str,
    job_id: int,
    check_id: UUID,
    literal: Callable[[str], str] = str,
) -> Resolved:
    """Puts the secrets in the place of their references and writes down their use.

    ``literal`` changes the text between references; what it returns is not searched for references. Raises
    SecretMissing, with nothing written, where a secret is unknown, not granted or cannot be decrypted, and where the
    values become too long: a few references could fill the memory.
    """
    found = _found(values)
    used = _secrets([reference for each in found.values() for reference in each], job_kind, job_id)
    plain = {token: _value(secret) for token, secret in used.items()}
    pieces = {key: _pieces(values[key], each, plain, literal) for key, each in found.items()}
    _check_lengths(pieces)
    former = [value for secret in used.values() for value in secret.former_values()]
    _write_down(used.values(), job_kind=job_kind, job_id=job_id, check_id=check_id)
    replaced = {key: "".join(each) for key, each in pieces.items()}
    return Resolved(values=replaced, masker=Masker([*plain.values(), *former]))


def _reference(value: str, start: int, token_at: int) -> Reference:
    found = _TOKEN.match(value, token_at)
    if found is None or _is_odd_number(found["token"]):
        raise ReferenceError_(f"After {PREFIX} comes the number or the name of a secret, as in {PREFIX}5.")
    return Reference(token=found["token"], start=start, end=found.end())


def _is_odd_number(token: str) -> bool:
    return token.isdecimal() and (token.startswith("0") or len(token) > _LONGEST_ID)


def _usable(references: list[Reference], user: User | AnonymousUser) -> list[Secret]:
    if not references:
        return []
    ids = [reference.id for reference in references if reference.id is not None]
    names = [reference.token for reference in references if reference.id is None]
    return list(Secret.objects.usable_by(user).filter(Q(pk__in=ids) | Q(name__in=names)))


def _found(values: Mapping[str, str]) -> dict[str, list[Reference]]:
    try:
        return {key: find(value) for key, value in values.items()}
    except ReferenceError_ as error:
        raise SecretMissing(str(error)) from None


def _secrets(references: list[Reference], job_kind: str, job_id: int) -> dict[str, Secret]:
    """By the token that names it."""
    granted = _granted(job_kind, job_id) if references else []
    found: dict[str, Secret] = {}
    for reference in references:
        secret = reference.among(granted)
        if secret is None:
            raise SecretMissing(f"There is no secret {reference.token!r} that this job may use.")
        found[reference.token] = secret
    return found


def _granted(job_kind: str, job_id: int) -> list[Secret]:
    grants = SecretGrant.objects.filter(job_kind=job_kind, job_id=job_id)
    grants = grants.select_related("secret", "granted_by").prefetch_related("secret__allowed_users")
    return [grant.secret for grant in grants if grant.secret.may_serve(grant)]


def _value(secret: Secret) -> str:
    try:
        return secret.value()
    except (DecryptionFailed, KeyRingError) as error:
        raise KeysWrong(f"The secret {secret.name!r} cannot be decrypted. {error}") from None


def _write_down(secrets: Iterable[Secret], *, job_kind: str, job_id: int, check_id: UUID) -> None:
    uses = [
        SecretUse(secret=secret, secret_name=secret.name, job_kind=job_kind, job_id=job_id, check_id=check_id)
        for secret in secrets
    ]
    # A number and a name may mean the same secret, and a check may resolve twice: still one use
    SecretUse.objects.bulk_create(uses, ignore_conflicts=True)


def _pieces(
    value: str, references: Iterable[Reference], plain: Mapping[str, str], literal: Callable[[str], str]
) -> list[str]:
    """A secret that is referred to often is there once: nothing is copied."""
    pieces: list[str] = []
    position = 0
    for reference in references:
        pieces += [literal(value[position : reference.start]), plain[reference.token]]
        position = reference.end
    return [*pieces, literal(value[position:])]


def _check_lengths(pieces: Mapping[str, Iterable[str]]) -> None:
    lengths = {key: sum(len(piece.encode()) for piece in each) for key, each in pieces.items()}
    for key, length in lengths.items():
        if length > LONGEST_VALUE:
            raise SecretMissing(f"{key} is longer than {LONGEST_VALUE // 1024} kB with its secrets.")
    if sum(lengths.values()) > LONGEST_VALUES:
        raise SecretMissing("The values together are longer than 1 MB with their secrets.")
