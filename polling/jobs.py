"""Creating, changing and deleting a polling job: one place for the API, the command line and the admin.

Everything or nothing is stored. What cannot be accepted raises Django's ValidationError, by field.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction

from polling import batches
from polling.batches import Batch
from polling.deliveries import Delivery
from polling.polling_job import PollingJob
from secrets_app import references
from secrets_app.models import Secret

CHANGEABLE = (
    "name",
    "keboola_stack_url",
    "keboola_component_id",
    "keboola_configuration_id",
    "poll_interval_seconds",
)


class SecretUnknown(Exception):
    """There is no secret of that number and type that the user may use. The message is safe to show."""


@transaction.atomic
def create_job(
    data: Mapping[str, Any],
    *,
    batch_ids: Sequence[str],
    openai_secret_id: int,
    keboola_secret_id: int,
    user: User,
) -> PollingJob:
    """``data`` has the columns of CHANGEABLE. The job is due at once. Raises SecretUnknown."""
    job = PollingJob(owner=user, **data)
    _check(job, batch_ids)
    job.openai_secret = _secret(openai_secret_id, Secret.Type.OPENAI, user)
    job.keboola_secret = _secret(keboola_secret_id, Secret.Type.KEBOOLA, user)
    job.save()
    Batch.objects.bulk_create(Batch(job=job, batch_id=batch_id) for batch_id in batch_ids)
    secrets = [job.openai_secret, job.keboola_secret]
    references.grant(secrets, job_kind=job.kind, job_id=job.pk, user=user)
    job.schedule()
    return job


@transaction.atomic
def update_job(job: PollingJob, data: Mapping[str, Any], *, user: User) -> None:
    """Saves the columns in ``data`` and no other.

    Who says where Keboola's token goes must be allowed to use it. Raises SecretUnknown.
    """
    if job.keboola_secret_id and any(column.startswith("keboola_") for column in data):
        _secret(job.keboola_secret_id, Secret.Type.KEBOOLA, user)
    for column, value in data.items():
        setattr(job, column, value)
    job.full_clean()
    job.save(update_fields=list(data))
    if "poll_interval_seconds" in data:
        job.interval_changed()


@transaction.atomic
def delete_job(job: PollingJob) -> None:
    """A Keboola job that is owed is not started any more: nobody would see how that went."""
    Delivery.objects.give_up(job_kind=job.kind, job_id=job.pk, reason="The job was deleted.")
    references.grant((), job_kind=job.kind, job_id=job.pk, user=None)
    job.delete()


def _check(job: PollingJob, batch_ids: Sequence[str]) -> None:
    errors: dict[str, Any] = {}
    try:
        job.full_clean()
    except ValidationError as error:
        errors = error.update_error_dict(errors)
    try:
        batches.check_ids(batch_ids)
    except ValidationError as error:
        errors["batch_ids"] = error
    if errors:
        raise ValidationError(errors)


def _secret(number: int, kind: Secret.Type, user: User) -> Secret:
    secret = Secret.objects.usable_by(user).filter(pk=number, type=kind).first()
    if secret is None:
        raise SecretUnknown(f"There is no {kind.label} secret {number} that you may use.")
    return secret
