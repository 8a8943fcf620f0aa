"""The fields of a job that watches OpenAI batches, declared once; see ``teckochecker.kit.declared``.

Its batches and the secret for OpenAI are given when it is made, and stay.
"""

from polling.openai import ranges
from polling.outbox.declared import ALERT, WEBHOOK
from teckochecker.kit.declared import Field, Option, Table, Takes

KEBOOLA = Table(
    (
        Field(
            column="keboola_secret_id",
            section="Keboola",
            help="The number of the secret with Keboola's token.",
            options=(Option("--keboola-secret", "SECRET", Takes.SECRET, help="Number or name of the Keboola secret."),),
            example=2,
        ),
        Field(
            column="keboola_stack_url",
            section="Keboola",
            help="Such as https://connection.keboola.com.",
            options=(Option("--stack-url", "URL"),),
            example="https://connection.keboola.com",
        ),
        Field(
            column="keboola_component_id",
            section="Keboola",
            help="The component that Keboola is to run.",
            options=(Option("--component", "ID"),),
            example="kds-team.app-custom-python",
        ),
        Field(
            column="keboola_configuration_id",
            section="Keboola",
            help="Its configuration.",
            options=(Option("--configuration", "ID"),),
            example="12345",
        ),
    )
)
GENERAL = Table(
    (
        Field(
            column="name",
            section="",
            help="The job's name.",
            options=(Option("--name", "TEXT"),),
            example="nightly batch",
        ),
        Field(
            column="poll_interval_seconds",
            section="",
            help="Seconds between checks.",
            options=(
                Option("--interval", "S", Takes.WHOLE, help=f"Seconds between checks, {ranges.INTERVAL_SECONDS}."),
            ),
            example=ranges.INTERVAL_SECONDS.default,
        ),
    )
)
TOLD = WEBHOOK + ALERT
OPENAI = GENERAL + KEBOOLA + TOLD
