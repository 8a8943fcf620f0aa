"""What the descriptions of several calls about jobs have in common."""

from customchecks.images import runtimes
from polling.base.results import Cause, Verdict
from polling.jobs.scheduling import JobStatus
from teckochecker.kit.api.openapi import WARNING, header, query

JSON, FORM, YAML = "application/json", "multipart/form-data", "application/yaml"
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
CHOICE = [
    query("status", "Only jobs in this status.", example="active", enum=JobStatus.values),
    query("runtime", "Only jobs of this runtime.", example="python", enum=list(runtimes.WORDS)),
    query("tag", "Only jobs with this tag; given twice, with both.", example="exports"),
    query("search", "In the name, a tag, the repository or the webhook, or a job's number.", example="nightly"),
]
LOG_CHOICE = [
    query("status", "Only this verdict.", example="error", enum=[verdict.lower() for verdict in Verdict]),
    query("cause", "Only errors with this cause.", example="timeout", enum=list(Cause)),
    query("since", "Only what ended at this time or later.", example="2026-01-31T22:00:00Z", format="date-time"),
]
ORDERING = query("ordering", "With a - before it from the end.", example="-last_check_at")
IF_MATCH = header("If-Match", f"{ONLY_IF} Else 412.")
ETAG = header("ETag", "Names this definition of the job, for `If-Match`.", 200, 201)
LOCATION = header("Location", "Where its answer will be.", 202)
SAVED = [ETAG, WARNING]
