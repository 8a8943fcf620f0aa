"""What the descriptions of several calls about jobs have in common."""

from drf_spectacular.utils import OpenApiParameter

from customchecks import runtimes
from polling.results import Cause, Verdict
from polling.scheduling import JobStatus
from secrets_app.openapi import BINARY, NUMBER, TEXT, parameter, says, takes

JOBS, SCRIPTS = "Custom checks", "Scripts"
PATH = "/api/custom-checks"
ONE = f"{PATH}/{{id}}"
ONLY_IF = "The `ETag` of the job as it was read: it is changed only if its definition is still the same."
EITHER_FORM = "JSON, or a form with that JSON as text in the part `config` and the script's .tgz in the part `script`."
UNCHANGED = "Fields that are not named stay as they are. Whoever changes a job must be allowed to use all its secrets."
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
