"""Creating, changing and deleting a polling job: one place for the API, the command line and the admin.

Everything or nothing is stored. What cannot be accepted raises Django's ValidationError, by field.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction

from polling.openai import batches, declared
from polling.openai.batches import Batch
from polling.openai.models import PollingJob
from polling.outbox import webhook_fields
from polling.outbox.deliveries import Delivery
from secrets_app import references
from secrets_app.models import Secret
from teckochecker.kit import declared_values

ONCE = ("batch_ids", "openai_secret_id")  # what is given when a job is made, and stays
# Who changes one of these says where secrets go
TELLING = frozenset((*declared.KEBOOLA.columns, *declared.TOLD.columns))


class SecretUnknown(Exception):
    """There is no secret of that number and type that the user may use. The message is safe to show."""


@transaction.atomic
def create_job(
    data: Mapping[str, Any],
    *,
    batch_ids: Sequence[str],
    openai_secret_id: int,
    user: User,
) -> PollingJob:
    """``data`` has declared fields. The job is due at once. Raises SecretUnknown."""
    job = PollingJob(owner=user)
    errors: dict[str, Any] = {}
    with _gathering(errors, "batch_ids"):
        batches.check_ids(batch_ids)
    secrets = _accepted(job, data, user, errors)
    job.openai_secret = _secret("openai_secret_id", openai_secret_id, Secret.Type.OPENAI, user)
    job.save()
    Batch.objects.bulk_create(Batch(job=job, batch_id=batch_id) for batch_id in batch_ids)
    references.grant([job.openai_secret, *secrets], job_kind=job.kind, job_id=job.pk, user=user)
    job.schedule()
    return job


def faults(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """What is wrong with declared fields taken alone, for whoever has found another fault before a job is made."""
    try:
        declared_values.fill(PollingJob(), data, beside=ONCE)
    except ValidationError as error:
        return dict(error.message_dict)
    return {}


@transaction.atomic
def update_job(job: PollingJob, data: Mapping[str, Any], *, user: User) -> None:
    """Saves the columns in ``data`` and no other.

    Who says where secrets go must be allowed to use them: Keboola's token, and those in a webhook's headers, query and
    keys. Raises SecretUnknown.
    """
    secrets = _accepted(job, data, user, {})
    job.save(update_fields=list(data))
    if data.keys() & TELLING:
        references.grant(secrets, job_kind=job.kind, job_id=job.pk, user=user, kept=[job.openai_secret_id])
    if "webhook_signing_secrets" in data:
        Delivery.objects.sign_with(job.webhook_signing_secrets, job=job)
    if "poll_interval_seconds" in data:
        job.interval_changed()


@transaction.atomic
def delete_job(job: PollingJob) -> None:
    """A Keboola job that is owed is not started any more: nobody would see how that went."""
    Delivery.objects.give_up(job_kind=job.kind, job_id=job.pk, reason="The job was deleted.")
    references.grant((), job_kind=job.kind, job_id=job.pk, user=None)
    job.delete()


def _accepted(job: PollingJob, data: Mapping[str, Any], user: User, errors: dict[str, Any]) -> list[Secret]:
    """Fills the job in. The secrets that it says where to send. ``errors`` is what is wrong already.

    What is not changed is not looked at again: a job that has ended may have lost its secrets.
    """
    with _gathering(errors):
        declared_values.fill(job, data, beside=ONCE)
    secrets: list[Secret] = []
    told = not job.pk or bool(data.keys() & TELLING)
    if told:
        for check in (_check_keboola, _check_addresses):
            with _gathering(errors):
                check(job)
        with _gathering(errors):
            secrets += references.check(job, user=user)
    if errors:
        raise ValidationError(errors)
    if told and job.keboola_secret_id:
        secrets.append(_secret("keboola_secret_id", job.keboola_secret_id, Secret.Type.KEBOOLA, user))
    return secrets


def _check_keboola(job: PollingJob) -> None:
    """All of it or nothing; and somebody has to be told."""
    fields = declared.KEBOOLA.columns
    missing = [name for name in fields if not getattr(job, name)]
    everything = ", ".join(fields)
    if len(missing) == len(fields) and not job.webhook_url:
        message = f"Nobody would hear of the end: name a webhook_url, or all of {everything}."
        raise ValidationError({"webhook_url": ValidationError(message, "nobody_told")})
    if missing and len(missing) < len(fields):
        message = f"To start a Keboola job give all of {everything}."
        raise ValidationError({name: ValidationError(message, "keboola") for name in missing})


def _check_addresses(job: PollingJob) -> None:
    errors: dict[str, Any] = {}
    for name in ("webhook_url", "alert_url"):
        if url := getattr(job, name):
            with _gathering(errors, name):
                webhook_fields.webhook_url(url, allow=settings.TECKO_WEBHOOK_ALLOW)
    if errors:
        raise ValidationError(errors)


@contextlib.contextmanager
def _gathering(errors: dict[str, Any], field: str | None = None) -> Iterator[None]:
    """``field`` is what an error is about that does not say it itself."""
    try:
        yield
    except ValidationError as error:
        named = ValidationError({field: error}) if field else error
        for name, found in named.update_error_dict({}).items():
            errors.setdefault(name, found)


def _secret(field: str, number: int, kind: Secret.Type, user: User) -> Secret:
    secret = Secret.objects.usable_by(user).filter(pk=number).first()
    if secret is None:
        raise SecretUnknown(f"{field}: there is no secret {number} that you may use; one of type {kind} is wanted.")
    if secret.type != kind:
        raise SecretUnknown(
            f"{field}: the secret {secret.name!r} ({number}) is of type {secret.type}; one of type {kind} is wanted."
        )
    return secret
