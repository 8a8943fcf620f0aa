"""What users may write about the Keboola job that a custom check starts."""

from typing import Any, Protocol

from django.core.exceptions import ValidationError
from django.db import models

from polling.channels import keboola
from polling.outbox import templates
from polling.outbox.webhook_fields import check_storable, secret_token, strings, visible
from secrets_app.references import PREFIX

NEEDED = ("keboola_stack_url", "keboola_component_id", "keboola_configuration_id", "keboola_token")
MAX_VARIABLE_NAME = 255
TEMPLATE_ROOTS = templates.ROOTS - {"delivery_id"}  # it has none before it is started


class KeboolaOn(models.TextChoices):
    SUCCESS = "success", "The verdict SUCCESS"
    ENDED = "ended", "Every end, also FAILED or given up"


class KeboolaFields(Protocol):
    keboola_stack_url: Any
    keboola_component_id: Any
    keboola_configuration_id: Any
    keboola_token: Any
    keboola_variables: Any


def keboola_variables(value: object) -> None:
    """The values are visible in Keboola, so they hold templates and no secrets."""
    for name, text in strings(value).items():
        if not name.strip() or len(name) > MAX_VARIABLE_NAME or not visible(name):
            raise ValidationError(f"{name!r:.80} is not the name of a variable.", code="variable_name")
        check_storable(text, f"The value of {name!r:.80}")
        if PREFIX in text:
            raise ValidationError(
                f"{name!r:.80}: a variable can be read in Keboola; keep the secret there.", code="variable_secret"
            )
        try:
            templates.check(text, roots=TEMPLATE_ROOTS)
        except templates.TemplateError as error:
            raise ValidationError(f"{name!r:.80}: {error}", code="template") from error


def action(job: KeboolaFields) -> None:
    """All of NEEDED, or nothing. Raises ValidationError by field."""
    given = [name for name in NEEDED if getattr(job, name)]
    if not given and not job.keboola_variables:
        return
    missing = f"To start a Keboola job give all of {', '.join(NEEDED)}."
    errors: dict[str, Any] = {name: ValidationError(missing, code="keboola") for name in NEEDED if name not in given}
    for name, check in {"keboola_stack_url": keboola.stack_url, "keboola_token": secret_token}.items():
        try:
            if name in given:
                check(getattr(job, name))
        except ValidationError as error:
            errors[name] = error
    if errors:
        raise ValidationError(errors)
