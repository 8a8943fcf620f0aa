"""``deliveries list|resend|test``."""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, cast

import typer

from customchecks.cli.support import choices, options, output
from customchecks.cli.support.exit_codes import NotFound, failing
from customchecks.cli.support.lazy_import import later

if TYPE_CHECKING:
    from customchecks.cli.support import lookups
    from polling.jobs import test_deliveries
    from polling.outbox import deliveries
    from polling.site import delivery_serializers
else:
    delivery_serializers = later("polling.site.delivery_serializers")
    deliveries = later("polling.outbox.deliveries")
    lookups = later("customchecks.cli.support.lookups")
    test_deliveries = later("polling.jobs.test_deliveries")

COLUMNS: Mapping[str, output.Column] = {
    "ID": "pk",
    "Job": "job_name",
    "Event": "event",
    "Status": "status",
    "Attempts": "attempts",
    "Answer": "last_status_code",
    "Next attempt": "next_attempt_at",
    "Error": "last_error",
}

Limit = Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="At most so many.")]
OnlyJob = Annotated[str | None, typer.Option("--job", metavar="JOB", help="Only those of this job.")]
Status = Annotated[choices.Delivery | None, typer.Option(help="Only deliveries of this status.")]
Unseen = Annotated[bool, typer.Option("--unseen", help="Only those that failed for good and that nobody looked at.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The delivery's id, which is the call's webhook-id.")]


def list_deliveries(
    job: OnlyJob = None,
    status: Status = None,
    unseen: Unseen = False,
    limit: Limit = 50,
    as_json: options.Json = False,
) -> None:
    """List what was to be sent, the newest first.

    \b
    Example:
      manage.py customcheck deliveries list --status failed
    """
    rows = deliveries.Delivery.objects.order_by("-created_at", "pk")
    if job is not None:
        found = lookups.find_job(job)
        rows = rows.filter(job_kind=found.kind, job_id=found.pk)
    if status is not None:
        rows = rows.filter(status=status)
    if unseen:
        rows = rows.filter(unseen=True)
    chosen = rows[:limit]
    if as_json:
        output.document(delivery_serializers.DeliverySerializer(chosen, many=True).data)
    else:
        output.rows(COLUMNS, chosen)


def resend(delivery_id: Id, as_json: options.Json = False) -> None:
    """Send a delivery again, with its id and its body.

    \b
    Example:
      manage.py customcheck deliveries resend 0b9c1f9e-4a53-4b8c-9a3c-6d1d3f7c2e11
    """
    delivery = _find(delivery_id)
    with failing(deliveries.ResendRefused):
        delivery.resend()
    print_due(delivery, as_json=as_json)


def test(job: options.Job, as_json: options.Json = False) -> None:
    """Send a test to a job's webhook and print the delivery's id.

    It is sent by the running server, as every delivery is, with "test": true in its body.

    \b
    Example:
      manage.py customcheck deliveries test nightly
    """
    with failing(test_deliveries.SendRefused):
        delivery = test_deliveries.send_test(lookups.find_job(job))
    print_due(delivery, as_json=as_json)


def _find(delivery_id: str) -> "deliveries.Delivery":
    try:
        return cast(deliveries.Delivery, deliveries.Delivery.objects.get(pk=uuid.UUID(delivery_id)))
    except (ValueError, deliveries.Delivery.DoesNotExist):
        raise NotFound(f"There is no delivery {delivery_id!r}. See: manage.py customcheck deliveries list") from None


def print_due(delivery: "deliveries.Delivery", *, as_json: bool) -> None:
    if as_json:
        output.document(delivery_serializers.DeliverySerializer(delivery).data)
    else:
        output.text(str(delivery.pk))
        output.say(f"{delivery} is due now.")


COMMANDS = ((list_deliveries, "list"), (resend, "resend"), (test, "test"))
