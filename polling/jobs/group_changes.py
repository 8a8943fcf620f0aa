"""Creating, changing, restarting and deleting a group: one place for the API, the command line and the admin.

Everything or nothing is stored. What cannot be accepted raises Django's ValidationError, by field. The rows of jobs are
locked before those of groups, as where a check is recorded: a job that ends meanwhile is seen either here or there.
"""

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from polling.jobs import members
from polling.jobs.groups import GroupRefused, JobGroup, Rule
from polling.jobs.members import GroupMember, Key
from polling.jobs.registry import job_kinds
from polling.jobs.scheduling import ScheduledJob, TransitionRefused
from polling.outbox.deliveries import Delivery
from secrets_app import references
from secrets_app.access import audit
from secrets_app.models import Secret
from teckochecker.kit import declared_values

MOST_MEMBERS = 100
# All of them are looked at, and perhaps told, in the transaction that ends the job
MOST_GROUPS_OF_A_JOB = 20

Asker = User | AnonymousUser


@transaction.atomic
def create_group(data: Mapping[str, Any], *, wanted: Sequence[Key] | None, user: User) -> JobGroup:
    """``data`` has declared fields. Members that have ended count: the group may end here and now."""
    group = JobGroup(owner=user)
    named = wanted or ()
    secrets = _accepted(group, data, wanted, new=named, user=user)
    group.set_deadline()
    group.save()
    _join(group, named)
    _note_members(group, before=(), after=named)
    _finish(group, secrets, user=user)
    return group


@transaction.atomic
def update_group(group: JobGroup, data: Mapping[str, Any], *, wanted: Sequence[Key] | None, user: Asker) -> None:
    """Saves the columns in ``data`` and no other; without ``wanted`` the members stay. Holds for the current cycle."""
    before = set(group.members.values_list("job_kind", "job_id"))
    new = [key for key in wanted or () if key not in before]
    members.locked(new[:MOST_MEMBERS])
    current = JobGroup.objects.select_for_update().get(pk=group.pk)
    secrets = _accepted(current, data, before if wanted is None else wanted, new=new, user=user)
    current.set_deadline()
    current.save(update_fields={*data, "deadline_at"})
    if wanted is not None:
        for row in current.members.all():
            if (row.job_kind, row.job_id) not in wanted:
                row.delete()
        _join(current, new)
        _note_members(current, before=before, after=wanted)
    if "webhook_signing_secrets" in data:
        Delivery.objects.sign_with(current.webhook_signing_secrets, job=current)
    _finish(current, secrets, user=user)
    group.refresh_from_db()


@transaction.atomic
def restart_group(group: JobGroup, *, user: Asker) -> None:
    """Watches the members anew: those that have ended are restarted, deleted ones are left out.

    Raises GroupRefused.
    """
    group.refresh_from_db()
    group.refuse_unless_ended()
    keys = [(row.job_kind, row.job_id) for row in group.members.all()]
    jobs = members.locked(keys)
    for job in jobs.values():
        if job.status in job.ended:
            _restart(job, user)
    current = JobGroup.objects.select_for_update().get(pk=group.pk)
    for row in current.members.all():
        if (row.job_kind, row.job_id) not in jobs:
            row.delete()
    if not jobs:
        raise GroupRefused("All jobs of the group were deleted: give it other members first.")
    current.restart(timezone.now())
    audit.note(current, "restarted")
    group.refresh_from_db()


@transaction.atomic
def delete_group(group: JobGroup) -> None:
    """Its jobs stay. A delivery that is still owed is not made any more."""
    JobGroup.objects.select_for_update().filter(pk=group.pk).first()  # so that none is owed after this
    Delivery.objects.give_up(job_kind=group.kind, job_id=group.pk, reason="The group was deleted before this was sent.")
    references.grant((), job_kind=group.kind, job_id=group.pk, user=None)
    group.delete()


@transaction.atomic
def check_group(group: JobGroup, wanted: Sequence[Key], *, user: Asker) -> None:
    """Refuses what creating or changing would refuse, for a group that is not stored like this yet."""
    before = set(group.members.values_list("job_kind", "job_id")) if group.pk else set()
    _accepted(group, {}, wanted, new=[key for key in wanted if key not in before], user=user)


def _note_members(group: JobGroup, *, before: Iterable[Key], after: Iterable[Key]) -> None:
    told = [", ".join(f"{kind} {number}" for kind, number in sorted(keys)) for keys in (set(before), set(after))]
    if told[0] != told[1]:
        audit.note(group, "members", members=(told[0], told[1]))


def _restart(job: ScheduledJob, user: Asker) -> None:
    if not user.has_perm(_permission("change", type(job))):
        raise GroupRefused(f"You may not restart {job.kind} jobs, and {job.name!r} has ended.")
    try:
        job.restart()
    except TransitionRefused as error:
        raise GroupRefused(f"Job {job.name!r} cannot be restarted: {error}") from None


def _accepted(
    group: JobGroup, data: Mapping[str, Any], wanted: Collection[Key] | None, *, new: Sequence[Key], user: Asker
) -> list[Secret]:
    """Fills the group in. The secrets that it refers to. Raises ValidationError with everything that is wrong."""
    errors: dict[str, Any] = {}
    secrets: list[Secret] = []
    with _gathering(errors):
        declared_values.fill(group, data, beside=("members",))
    with _gathering(errors, "members"):
        _check_members(wanted, new, user)
    with _gathering(errors, "count"):
        _check_count(group, len(wanted or ()))
    with _gathering(errors):
        secrets = references.check(group, user=user)
    if errors:
        raise ValidationError(errors)
    return secrets


@contextlib.contextmanager
def _gathering(errors: dict[str, Any], field: str | None = None) -> Iterator[None]:
    """``field`` is what an error is about that does not say it itself."""
    try:
        yield
    except ValidationError as error:
        named = ValidationError({field: error}) if field else error
        for name, found in named.update_error_dict({}).items():
            errors.setdefault(name, found)


def _check_count(group: JobGroup, size: int) -> None:
    if group.rule == Rule.COUNT and not (group.count and 1 <= group.count <= size):
        raise ValidationError(f'The rule "count" needs a count from 1 to the number of members, which is {size}.')


def _check_members(wanted: Collection[Key] | None, new: Sequence[Key], user: Asker) -> None:
    """Who does not see a kind of job must not read its answers in a group's call."""
    if wanted is None:
        raise ValidationError("This field is required.")
    if not 1 <= len(wanted) <= MOST_MEMBERS:
        raise ValidationError(f"A group has 1 to {MOST_MEMBERS} members.")
    if len(set(wanted)) < len(wanted):
        raise ValidationError("A job is named twice.")
    known = {kind.kind: kind for kind in job_kinds()}
    if odd := [kind for kind, _ in new if kind not in known]:
        raise ValidationError(f"There is no kind {odd[0]!r:.80}; there is {', '.join(sorted(known))}.")
    found = members.locked(new)
    hidden = {kind for kind in known if not user.has_perm(_permission("view", known[kind]))}
    for kind, job_id in wanted:
        if kind in hidden or ((kind, job_id) in new and (kind, job_id) not in found):
            raise ValidationError(f"There is no {kind} job {job_id} that you may see.")
    if crowded := [key for key, count in members.groups_of(new).items() if count >= MOST_GROUPS_OF_A_JOB]:
        kind, job_id = crowded[0]
        raise ValidationError(f"The {kind} job {job_id} is in {MOST_GROUPS_OF_A_JOB} groups, which is the most.")


def _permission(verb: str, kind: type[ScheduledJob]) -> str:
    return f"{kind._meta.app_label}.{verb}_{kind._meta.model_name}"


def _join(group: JobGroup, keys: Sequence[Key]) -> None:
    rows = [GroupMember(group=group, job_kind=kind, job_id=job_id) for kind, job_id in keys]
    GroupMember.objects.bulk_create(rows, ignore_conflicts=True)  # somebody may have added the same at the same time


def _finish(group: JobGroup, secrets: Sequence[Secret], *, user: Asker) -> None:
    references.grant(secrets, job_kind=group.kind, job_id=group.pk, user=user if isinstance(user, User) else None)
    group.settle(timezone.now())
