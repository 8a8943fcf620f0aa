"""The fields of a custom check, declared once; see ``teckochecker.kit.declared``."""

import json

from customchecks.sandbox import ranges as sandbox
from polling.jobs import ranges
from polling.outbox.declared import ALERT, STRINGS, WEBHOOK
from teckochecker.kit.declared import Field, Option, Secrets, Table, Takes

MAX_TAGS = 20
TAG = r"[a-z0-9][a-z0-9._:/-]{0,49}"
LIMITS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "memory_mb": {"type": "integer", "minimum": sandbox.MEMORY_MB.low, "maximum": sandbox.MEMORY_MB.high},
        "cpu_cores": {"type": "number", "minimum": sandbox.CPU_CORES.low, "maximum": sandbox.CPU_CORES.high},
    },
}
USUAL_LIMITS = {"memory_mb": sandbox.MEMORY_MB.default, "cpu_cores": sandbox.CPU_CORES.default}

GENERAL = Table(
    (
        Field(
            column="name",
            section="",
            help="The job's name.",
            options=(Option("--name", "TEXT"),),
            example="nightly export",
        ),
        Field(
            column="tags",
            section="",
            help='Words to find it by, such as ["exports", "team:data"].',
            options=(Option("--tag", "TAG", Takes.TEXTS, help="A tag of the job.", complete="tags"),),
            example=["exports"],
            shape={"type": "array", "maxItems": MAX_TAGS, "items": {"type": "string", "pattern": f"^{TAG}$"}},
        ),
        Field(
            column="poll_interval_seconds",
            section="",
            help="Seconds between checks.",
            options=(Option("--interval", "S", Takes.WHOLE, default=ranges.INTERVAL_SECONDS.default),),
            example=120,
        ),
    )
)
ONE_CHECK = Table(
    (
        Field(
            column="timeout_seconds",
            section="One check",
            help="Seconds that one check may take.",
            options=(Option("--timeout", "S", Takes.WHOLE, default=sandbox.TIMEOUT_SECONDS.default),),
            example=60,
        ),
        Field(
            column="resource_limits",
            section="One check",
            help=f"Such as {json.dumps(USUAL_LIMITS)}, which is the default.",
            options=(
                Option(
                    *("--memory", "MB", Takes.WHOLE, "memory_mb"),
                    help="Memory of a check in megabytes.",
                    default=sandbox.MEMORY_MB.default,
                ),
                Option(
                    *("--cpu", "CORES", Takes.NUMBER, "cpu_cores"),
                    help="Processor cores of a check.",
                    default=sandbox.CPU_CORES.default,
                ),
            ),
            shape=LIMITS,
        ),
    )
)
SOURCE = Table(
    (
        Field(
            column="script_source_type",
            section="Script",
            help="Where the script comes from: a repository, or an upload.",
            example="upload",
        ),
        Field(
            column="script_git_url",
            section="Script",
            help="A repository that the script comes from.",
            options=(Option("--git-url", "URL", help="A repository that the script comes from, instead of --from."),),
        ),
        Field(
            column="script_git_branch",
            section="Script",
            help="Its branch or tag.",
            options=(Option("--git-branch", "NAME", default="main"),),
        ),
        Field(
            column="script_git_commit",
            section="Script",
            help="Its commit to stay with, whatever is pushed. Empty: the branch is followed.",
            options=(
                Option("--git-commit", "SHA", help="Stay with this commit, whatever is pushed; '' follows again."),
            ),
        ),
        Field(
            column="script_git_path",
            section="Script",
            help="The folder of it with the script. Empty: all of it.",
            options=(Option("--git-path", "FOLDER", help="The folder of it with the script; '' for all of it."),),
        ),
        Field(
            column="script_git_token",
            section="Script",
            help="secret_ref:NAME, for a private repository.",
            options=(
                Option(
                    *("--git-token-secret", "SECRET", Takes.SECRET),
                    help="Number or name of the secret with its token; '' for none.",
                ),
            ),
            secrets=Secrets.WHOLE,
        ),
        Field(
            column="script_source_policy",
            section="Script",
            help="What a check runs when the newest commit cannot be had or used.",
        ),
    )
)
SCRIPT = Table(
    (
        Field(
            column="script_runtime",
            section="Script",
            help="What runs it: python, node, or with a version such as python-3.13.",
            options=(Option("--runtime", "RUNTIME", complete="runtimes"),),
            example="python",
        ),
        Field(
            column="script_entrypoint",
            section="Script",
            help="The file to run. Empty: main.py or index.js.",
            options=(Option("--entrypoint", "FILE", help="The file to run.", default="main.py or index.js"),),
            example="main.py",
        ),
        Field(column="allow_source_builds", section="Script"),
        Field(
            column="check_params",
            section="Script",
            help="The script gets it as CHECK_PARAMS, and texts and numbers as variables too.",
            options=(
                Option(
                    *("--param", "K=V", Takes.JSON_PAIRS),
                    help="A parameter of the check, as a text; K:=JSON for anything else.",
                ),
            ),
            example={"export_id": 42},
            shape={"type": "object", "additionalProperties": True},
        ),
        Field(
            column="env_vars",
            section="Script",
            help="Variables of its environment; a value may hold secret_ref:NAME or secret_ref:NUMBER.",
            options=(Option("--env", "K=V", Takes.PAIRS, help="An environment variable; V may hold secret_ref:NAME."),),
            example={"API_KEY": "secret_ref:exports"},
            shape=STRINGS,
            secrets=Secrets.INSIDE,
        ),
    )
)
LIMITS_AND_ALERTS = Table(
    (
        Field(
            column="deadline_seconds",
            section="Limits and alerts",
            help="Seconds without a verdict after which the job fails, with the cause deadline.",
            options=(Option("--deadline", "S", Takes.WHOLE, default=ranges.DEADLINE_SECONDS.default),),
            example=86400,
        ),
        Field(
            column="max_checks",
            section="Limits and alerts",
            help="Checks without a verdict after which it fails, with the cause max_checks.",
            options=(Option("--max-checks", "N", Takes.WHOLE, default=ranges.MAX_CHECKS.default),),
        ),
        Field(
            column="max_consecutive_errors",
            section="Limits and alerts",
            help="Errors in a row after which it fails, with the cause max_consecutive_errors.",
            options=(Option("--max-errors", "N", Takes.WHOLE, default=ranges.MAX_ERRORS.default),),
        ),
        Field(
            column="alert_after_errors",
            section="Limits and alerts",
            help="Errors in a row after which one alert is sent, and a word when they are over. Empty: none.",
            options=(
                Option(
                    *("--alert-after", "N", Takes.WHOLE),
                    help="Errors in a row after which one alert is sent.",
                    default=ranges.ALERT_AFTER_ERRORS.default,
                ),
            ),
        ),
    )
)
KEBOOLA = Table(
    (
        Field(
            column="keboola_stack_url",
            section="Keboola",
            help="Such as https://connection.keboola.com. Empty: no Keboola job is started.",
        ),
        Field(column="keboola_component_id", section="Keboola", help="The component that Keboola is to run."),
        Field(column="keboola_configuration_id", section="Keboola", help="Its configuration."),
        Field(
            column="keboola_token",
            section="Keboola",
            help="secret_ref:NAME of Keboola's storage token.",
            secrets=Secrets.WHOLE,
        ),
        Field(
            column="keboola_variables",
            section="Keboola",
            help="Variables of its run. Templates such as {data.output} and {job_name} are filled in.",
            shape=STRINGS,
        ),
        Field(column="keboola_on", section="Keboola", help="At which end of the job it is started."),
    )
)

JOB = GENERAL + ONE_CHECK + SOURCE + SCRIPT + WEBHOOK + LIMITS_AND_ALERTS + ALERT + KEBOOLA
