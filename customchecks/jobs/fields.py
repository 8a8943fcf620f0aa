"""What users may write into the fields of a custom check. Every refusal is a ValidationError with a code."""

import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError

from customchecks.git.remote_fields import git_branch as git_branch
from customchecks.git.remote_fields import git_commit as git_commit
from customchecks.git.remote_fields import git_path as git_path
from customchecks.git.remote_fields import git_token as git_token
from customchecks.git.remote_fields import git_url as git_url
from customchecks.images import runtimes
from customchecks.jobs import keboola_fields
from customchecks.jobs.declared import MAX_TAGS, USUAL_LIMITS
from customchecks.jobs.declared import TAG as TAG_PATTERN
from customchecks.sandbox.ranges import CPU_CORES, MEMORY_MB
from polling.outbox.webhook_fields import check_storable, json_object, strings, visible
from polling.outbox.webhook_fields import webhook_headers as webhook_headers
from polling.outbox.webhook_fields import webhook_method as webhook_method
from polling.outbox.webhook_fields import webhook_query_params as webhook_query_params
from polling.outbox.webhook_fields import webhook_signing_secrets as webhook_signing_secrets
from polling.outbox.webhook_fields import webhook_url as webhook_url
from secrets_app import references
from teckochecker.kit import strict_json
from teckochecker.kit.declared import Secrets

MAX_NAME = 255
MAX_ENTRYPOINT = 255
TAG = re.compile(TAG_PATTERN)
MAX_VARIABLE_BYTES = 32 * 1024
MAX_VARIABLES_BYTES = 256 * 1024
MAX_PARAMS_BYTES = 64 * 1024

_ENTRYPOINT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_RESERVED_VARIABLES = re.compile(
    r"""PATH | HOME | SHELL | IFS | ENV | PS4 | BASH_.* | LD_.* | MALLOC_.*
    | GCONV_PATH | GLIBC_TUNABLES | LOCPATH | HOSTALIASES | RES_OPTIONS
    | PYTHON.* | PIP_.* | UV_.* | NODE_OPTIONS | NODE_PATH | (?i:NPM_CONFIG_.*)
    | NODE_EXTRA_CA_CERTS | NODE_TLS_REJECT_UNAUTHORIZED | OPENSSL_CONF | OPENSSL_MODULES
    | SSL_CERT_FILE | SSL_CERT_DIR | REQUESTS_CA_BUNDLE | CURL_CA_BUNDLE | (?i:(?:HTTP|HTTPS|ALL|NO|FTP)_PROXY)
    | GIT_.* | DOCKER_.* | TECKO_.* | CHECK_PARAMS""",
    re.VERBOSE,
)
_HARMLESS_VARIABLES = re.compile(
    """PYTHON(?:HASHSEED|UNBUFFERED|UTF8|DONTWRITEBYTECODE|FAULTHANDLER|_ENV|_VERSION)
    | GIT_(?:BRANCH|COMMIT|REF|SHA|TAG|URL|REPO|REPOSITORY) | DOCKER_(?:IMAGE|TAG|REPOSITORY)""",
    re.VERBOSE,
)


def job(instance: Any) -> None:
    """The fields that depend on each other or on the operator's settings, all refusals at once, by field."""
    allow = settings.TECKO_WEBHOOK_ALLOW
    checks: dict[str, Callable[[Any], None]] = {
        "name": name,
        "script_git_url": partial(git_url, allow=allow),
        "script_git_branch": git_branch,
        "script_git_commit": git_commit,
        "script_git_path": git_path,
        "script_git_token": git_token,
        "webhook_url": partial(webhook_url, allow=allow),
        "alert_url": partial(webhook_url, allow=allow),
    }
    if runtimes.find(instance.script_runtime):
        checks["script_entrypoint"] = partial(entrypoint, instance.script_runtime)
    needed = {"name", *(("script_git_url", "script_git_branch") if instance.script_source_type == "git" else ())}
    given = {field: getattr(instance, field) for field in checks}
    steps = {field: partial(check, given[field]) for field, check in checks.items() if given[field] or field in needed}
    _all({**steps, "keboola": partial(keboola_fields.action, instance), "env_vars": partial(_few_references, instance)})


def name(value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ValidationError("Give the job a name.", code="name")
    if len(value) > MAX_NAME:
        raise ValidationError(f"A name has at most {MAX_NAME} characters.", code="name_length")
    if not visible(value):
        raise ValidationError("A name has no control, invisible or right-to-left characters.", code="name_character")


def runtime(value: object) -> None:
    if runtimes.find(value) is None:
        raise ValidationError(f"The runtime is one of {', '.join(runtimes.WORDS)}.", code="runtime")


def entrypoint(script_runtime: str, value: object) -> None:
    """A plain relative path; that the archive holds it is not looked at here."""
    runtime(script_runtime)
    if not isinstance(value, str) or not _ENTRYPOINT.fullmatch(value) or not _is_relative(value):
        raise ValidationError(
            "The entrypoint is a path inside the archive, such as main.py, of letters, digits and _ . / -.",
            code="entrypoint",
        )
    if len(value) > MAX_ENTRYPOINT:
        raise ValidationError(f"The entrypoint has at most {MAX_ENTRYPOINT} characters.", code="entrypoint_length")
    suffixes = runtimes.named(script_runtime).suffixes
    if not value.endswith(suffixes):
        raise ValidationError(f"The entrypoint ends in {' or '.join(suffixes)}.", code="entrypoint_suffix")


def resource_limits(value: object) -> None:
    limits = json_object(value)
    if unknown := limits.keys() - USUAL_LIMITS.keys():
        raise ValidationError(f"{min(unknown)!r:.80} is not a limit: give memory_mb or cpu_cores.", code="unknown_key")
    memory, cores = limits.get("memory_mb", MEMORY_MB.default), limits.get("cpu_cores", CPU_CORES.default)
    if type(memory) is not int:
        raise ValidationError(f"memory_mb: A whole number {MEMORY_MB} is wanted.", code="not_whole")
    if not MEMORY_MB.low <= memory <= MEMORY_MB.high:
        raise ValidationError(f"memory_mb: A number {MEMORY_MB} is wanted.", code="out_of_range")
    if isinstance(cores, bool) or not isinstance(cores, int | float):
        raise ValidationError(f"cpu_cores: A number {CPU_CORES} is wanted.", code="not_number")
    if not CPU_CORES.low <= cores <= CPU_CORES.high:
        raise ValidationError(f"cpu_cores: A number {CPU_CORES} is wanted.", code="out_of_range")


def is_variable_name(key: str) -> bool:
    """Whether a script may get an environment variable of this name from its job."""
    reserved = _RESERVED_VARIABLES.fullmatch(key) and not _HARMLESS_VARIABLES.fullmatch(key)
    return _VARIABLE.fullmatch(key) is not None and not reserved


NO_TAG = "is no tag: that is up to 50 small letters, digits and . _ : / -, such as team:exports."


def tags(value: object) -> None:
    """Plain words, so that a tag is found the same way in every database, URL and shell."""
    if not isinstance(value, list) or len(value) > MAX_TAGS:
        raise ValidationError(f"A list of at most {MAX_TAGS} words is wanted.", code="tags")
    for word in value:
        if not isinstance(word, str) or not TAG.fullmatch(word):
            raise ValidationError(f"{word!r:.80} {NO_TAG}", code="tag")
    if len(set(value)) < len(value):
        raise ValidationError("A tag is given twice.", code="tag_twice")


def env_vars(value: object) -> None:
    """Whether the secrets that values refer to may be used depends on who asks: ``references.validate`` tells."""
    variables = strings(value)
    for key, text in variables.items():
        if not is_variable_name(key):
            raise ValidationError(
                f"{key!r:.80} cannot be set: a variable is made of letters, digits and _, and is not one that"
                " the system, the runtime or TeckoChecker uses itself.",
                code="variable_name",
            )
        check_storable(text, f"The value of {key}")
        if len(text.encode()) > MAX_VARIABLE_BYTES:
            raise ValidationError(f"The value of {key} is longer than 32 kB.", code="variable_length")
    if sum(len(key) + len(text.encode()) for key, text in variables.items()) > MAX_VARIABLES_BYTES:
        raise ValidationError("The variables together are longer than 256 kB.", code="variable_length")


def check_params(value: object) -> None:
    """Any JSON object that both databases can store. Its scalars become variables of their own names."""
    params = json_object(value)
    _check_json(params, depth=1)
    if strict_json.size(params) > MAX_PARAMS_BYTES:
        raise ValidationError("The parameters are longer than 64 kB.", code="params_length")
    for key in scalars(params):
        _check_variable(key)


def scalars(params: Mapping[str, Any]) -> dict[str, str | int | float]:
    """Those of the parameters that a script gets as variables too."""
    return {key: value for key, value in params.items() if isinstance(value, str | int | float)}


def _check_variable(key: str) -> None:
    if is_variable_name(key):
        return
    other = re.sub(r"\W", "_", f"PARAM_{key}" if _RESERVED_VARIABLES.fullmatch(key) else key, flags=re.ASCII)
    other = other if is_variable_name(other) else "another_name"
    raise ValidationError(
        f"{key!r:.80} cannot be a variable of the script: that is made of letters, digits and _, and is not one that"
        f" the system, the runtime or TeckoChecker uses itself. Call it {other!r}, or put it into an object, such as"
        ' {"params": {…}}, which the script finds in CHECK_PARAMS only.',
        code="params_name",
    )


def _few_references(instance: Any) -> None:
    held = references.held_by(instance, Secrets.INSIDE)
    if sum(text.count(references.PREFIX) for text in held.values()) > references.MOST_IN_A_JOB:
        refusal = ValidationError(
            f"A job refers to secrets at most {references.MOST_IN_A_JOB} times in its variables, headers and query.",
            code="too_many_references",
        )
        raise ValidationError({field.partition(".")[0]: refusal for field in held})


def _all(checks: Mapping[str, Callable[[], None]]) -> None:
    refusals: dict[str, Any] = {}
    for field, check in checks.items():
        try:
            check()
        except ValidationError as error:
            refusals |= error.error_dict if hasattr(error, "error_dict") else {field: error}
    if refusals:
        raise ValidationError(refusals)


def _is_relative(path: str) -> bool:
    return not any(part in ("", ".", "..") or part.startswith("-") for part in path.split("/"))


def _check_json(value: object, *, depth: int) -> None:
    if depth > strict_json.MAX_DEPTH:
        raise ValidationError(f"They are nested deeper than {strict_json.MAX_DEPTH} levels.", code="params_depth")
    if isinstance(value, dict):
        for key, inner in json_object(value).items():
            _check_scalar(key)
            _check_json(inner, depth=depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check_json(inner, depth=depth + 1)
    else:
        _check_scalar(value)


def _check_scalar(value: object) -> None:
    too_large = isinstance(value, int) and abs(value) >= 10**strict_json.MAX_DIGITS
    if too_large or (isinstance(value, float) and not math.isfinite(value)):
        raise ValidationError("They hold NaN, infinity or a number of over 30 digits.", code="params_number")
    if isinstance(value, str):
        check_storable(value, "A text in check_params")
    elif value is not None and not isinstance(value, int | float):
        raise ValidationError("They hold something that is not JSON.", code="params_type")
