"""The fields of everything that calls a webhook when it ends, declared once; see ``teckochecker.kit.declared``."""

from teckochecker.kit.declared import Field, Option, Secrets, Table, Takes

MAX_SIGNING_SECRETS = 2  # one key, or two while receivers change from one to the other
STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}

WEBHOOK = Table(
    (
        Field(
            column="webhook_url",
            section="Webhook",
            help="Called once, at the end.",
            options=(Option("--webhook-url", "URL"),),
            example="https://hooks.example.com/exports",
        ),
        Field(
            column="webhook_method",
            section="Webhook",
            help="How it is called: GET, POST, PUT, PATCH or DELETE.",
            options=(Option("--webhook-method", "METHOD"),),
        ),
        Field(
            column="webhook_headers",
            section="Webhook",
            help="Headers of the call; a value may hold secret_ref:NAME.",
            options=(
                Option(
                    "--webhook-header", "K=V", Takes.PAIRS, help="A header of the call; V may hold secret_ref:NAME."
                ),
            ),
            example={"Authorization": "Bearer secret_ref:hook"},
            shape=STRINGS,
            secrets=Secrets.INSIDE,
        ),
        Field(
            column="webhook_query_params",
            section="Webhook",
            help="The query of the call. Templates such as {timestamp} are filled in.",
            shape=STRINGS,
            secrets=Secrets.INSIDE,
        ),
        Field(
            column="webhook_signing_secrets",
            section="Webhook",
            help='One or two keys that sign the call, such as ["secret_ref:hook-key"].',
            shape={"type": "array", "items": {"type": "string"}, "maxItems": MAX_SIGNING_SECRETS},
            secrets=Secrets.WHOLE,
        ),
    )
)
ALERT = Table(
    (
        Field(
            column="alert_url",
            section="Limits and alerts",
            help="Where alerts go, and that the job was given up. Empty: alerts go to the webhook.",
            options=(Option("--alert-url", "URL", help="Where alerts go.", default="the webhook"),),
        ),
    )
)
