"""What the descriptions of several calls about jobs have in common."""

from drf_spectacular.utils import OpenApiParameter

from customchecks.images import runtimes
from polling.base.results import Cause, Verdict
from polling.jobs.scheduling import JobStatus
from teckochecker.kit.openapi import BINARY, NUMBER, TEXT, WARNING, parameter, says, takes

JOBS, SCRIPTS = "Custom checks", "Scripts"
PATH = "/api/custom-checks"
ONE = f"{PATH}/{{id}}"
ONLY_IF = "The `ETag` of the job as it was read: it is changed only if its definition is still the same."
EITHER_FORM = "JSON, or a form with that JSON as text in the part `config` and the script's .tgz in the part `script`."
KEEPS = (
    "It keeps what it is not told: fields that are not named, PUT and PATCH alike, stay as they are, and so does the "
    "script. A JSON object such as `env_vars` is replaced as a whole; `null` or an empty value empties a field. To set "
    "a whole definition use `PUT /api/custom-checks/by-name/{name}`. Whoever changes a job must be allowed to use all "
    "its secrets."
)
REPLACES = (
    "The body is the whole definition: a field that is not named gets its default, unlike in `PUT "
    "/api/custom-checks/{id}`. Kept are the job's number, logs, versions, status and `state`, and a script that was "
    "uploaded where the call brings none."
)
FORM_SHAPE = takes(
    {"config": {**TEXT, "description": "The job's definition: JSON as text."}, "script": BINARY}, required=["config"]
)
FEW = '{"name": "nightly export", "script_source_type": "upload", "script_runtime": "python"}'

DONE = says({"message": TEXT, "job_id": NUMBER})
PINNED = says({"message": TEXT, "job_id": NUMBER, "version": NUMBER})
VERSION_NUMBER = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}

CHOICE = (
    parameter("status", "Only jobs in this status.", example="active", enum=JobStatus.values),
    parameter("runtime", "Only jobs of this runtime.", example="python", enum=list(runtimes.WORDS)),
    parameter("tag", "Only jobs with this tag; given twice, with both.", example="exports"),
    parameter("search", "In the name, a tag, the repository or the webhook, or a job's number.", example="nightly"),
)
LOG_CHOICE = (
    parameter("status", "Only this verdict.", example="error", enum=[verdict.lower() for verdict in Verdict]),
    parameter("cause", "Only errors with this cause.", example="timeout", enum=list(Cause)),
    parameter("since", "Only what ended at this time or later.", example="2026-01-31T22:00:00Z", format="date-time"),
)
IF_MATCH = OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, description=f"{ONLY_IF} Else 412.")
ETAG = {"ETag": "Names this definition of the job, for `If-Match`."}
SAVED = ETAG | WARNING
