"""The fields of a group of jobs, declared once; see ``teckochecker.kit.declared``. Members are rows of their own."""

from polling.outbox.declared import WEBHOOK
from teckochecker.kit.declared import Field, Option, Table, Takes

GROUP = (
    Table(
        (
            Field(
                column="name",
                section="",
                help="The group's name.",
                options=(Option("--name", "TEXT"),),
                example="all providers",
            ),
            Field(
                column="rule",
                section="",
                help="How many members must end: all of them, any, or a count.",
                options=(Option("--rule", "all|any|N", help="How many must end.", default="all"),),
                example="all",
            ),
            Field(column="count", section="", help='How many, for the rule "count".'),
            Field(
                column="deadline_seconds",
                section="",
                help="Seconds from the beginning of the cycle until the group ends anyway.",
                options=(Option("--deadline", "S", Takes.WHOLE, "", "Seconds until it ends anyway.", "7 days"),),
                example=86400,
            ),
        )
    )
    + WEBHOOK
)
