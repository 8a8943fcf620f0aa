"""What a job is defined by: the fields that people may set, and what JSON each of them takes."""

from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import ValidationError

from customchecks.jobs import fields, keboola_fields
from customchecks.jobs.models import CustomCheckJob, SourceType
from teckochecker.kit import strict_json
from teckochecker.kit.spelling import no_such_field

Check = Callable[[Any], None]


def _text(value: object) -> None:
    if not isinstance(value, str):
        raise ValidationError("A text is wanted here.", code="not_text")
    if strict_json.storable(value) != value:
        raise ValidationError("This text has a NUL or a lone surrogate.", code="not_storable")


def _boolean(value: object) -> None:
    if not isinstance(value, bool):
        raise ValidationError("This is true or false.", code="not_boolean")


def _or_null(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


FIELDS: Mapping[str, Check] = {
    "name": _text,
    "tags": fields.tags,
    "script_source_type": _text,
    "script_git_url": _or_null(_text),
    "script_git_branch": _or_null(_text),
    "script_git_commit": _or_null(_text),
    "script_git_path": _or_null(_text),
    "script_git_token": _or_null(_text),
    "script_source_policy": _text,
    "script_runtime": _text,
    "script_entrypoint": _text,
    "check_params": fields.check_params,
    "env_vars": _or_null(fields.env_vars),
    "timeout_seconds": fields.timeout_seconds,
    "resource_limits": _or_null(fields.resource_limits),
    "allow_source_builds": _boolean,
    "webhook_url": _or_null(_text),
    "webhook_method": _text,
    "webhook_headers": _or_null(fields.webhook_headers),
    "webhook_query_params": _or_null(fields.webhook_query_params),
    "webhook_signing_secrets": fields.webhook_signing_secrets,
    "poll_interval_seconds": fields.poll_interval_seconds,
    "deadline_seconds": fields.whole("deadline_seconds"),
    "max_checks": fields.whole("max_checks"),
    "max_consecutive_errors": fields.whole("max_consecutive_errors"),
    "alert_after_errors": _or_null(fields.whole("alert_after_errors")),
    "alert_url": _or_null(_text),
    "keboola_stack_url": _or_null(_text),
    "keboola_component_id": _or_null(_text),
    "keboola_configuration_id": _or_null(_text),
    "keboola_token": _or_null(_text),
    "keboola_variables": _or_null(keboola_fields.keboola_variables),
    "keboola_on": _text,
}


def defaults() -> dict[str, Any]:
    """What a new job has where nothing is said; ``script_entrypoint`` then follows the runtime."""
    return {column.name: column.get_default() for column in CustomCheckJob._meta.fields if column.name in FIELDS}


def fill(job: CustomCheckJob, data: Mapping[str, Any]) -> None:
    """Sets the fields of an unsaved or locked job and validates all of it.

    Raises ValidationError with everything that is wrong, by field. What has the wrong type is not set.
    """
    errors: dict[str, Any] = {}
    for name, value in data.items():
        try:
            _check(name, value)
        except ValidationError as error:
            errors[name] = error.error_list
        else:
            setattr(job, name, value)
    errors = _faults(job, wrong=set(errors)) | errors
    if errors:
        raise ValidationError(errors)


def _check(name: str, value: object) -> None:
    if name in FIELDS:
        FIELDS[name](value)
    elif any(name == column.name for column in CustomCheckJob._meta.fields):
        raise ValidationError("This field cannot be set.", code="read_only")
    else:
        raise ValidationError(no_such_field(name, FIELDS), code="unknown_field")


def _faults(job: CustomCheckJob, *, wrong: set[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    try:
        job.full_clean(exclude=wrong)
    except ValidationError as error:
        error.update_error_dict(found)
    try:
        _check_unused_git(job)
    except ValidationError as error:
        error.update_error_dict(found)
    return _with_choices(found)


def _with_choices(found: dict[str, Any]) -> dict[str, Any]:
    """Says what may be chosen where Django says only what may not."""
    for column in CustomCheckJob._meta.fields:
        if column.choices and column.name in found:
            words = ", ".join(str(value) for value, _ in column.flatchoices)
            found[column.name] = [
                ValidationError(f"{message} Use one of: {words}.", code=error.code)
                for error in found[column.name]
                for message in error.messages
            ]
    return found


def _check_unused_git(job: CustomCheckJob) -> None:
    """A job with an upload may keep the repository that it had, or will have: still nothing odd is stored."""
    if job.script_source_type == SourceType.GIT:
        return
    checks: dict[str, Check] = {"script_git_url": fields.git_url, "script_git_branch": fields.git_branch}
    for name, check in checks.items():
        if value := getattr(job, name):
            try:
                check(value)
            except ValidationError as error:
                raise ValidationError({name: error.error_list}) from None
