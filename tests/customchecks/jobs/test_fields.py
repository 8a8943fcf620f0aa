"""What users may and may not write into the fields of a custom check."""

import math
import subprocess
from functools import partial

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from customchecks.jobs import fields
from customchecks.jobs.models import CustomCheckJob
from polling.http.client import RESERVED_HEADERS
from teckochecker.kit import columns


def take(column, value):
    columns.check(CustomCheckJob._meta.get_field(column), value)


def code(check, *args, **options):
    """Of the refusal; None where the value is taken."""
    try:
        check(*args, **options)
    except ValidationError as error:
        assert error.messages
        return error.code
    return None


# Whole numbers and limits


@pytest.mark.parametrize("value", [10, 11, 86400])
def test_an_interval_in_its_range_is_taken(value):
    take("poll_interval_seconds", value)


NOT_WHOLE = ["60", "", 60.5, 60.0, math.nan, math.inf, None, True, [], {}, b"60"]


@pytest.mark.parametrize("value", [0, 9, -1, 86401, 10**9, 10**400])
def test_an_interval_outside_its_range_is_refused(value):
    assert code(take, "poll_interval_seconds", value) == "out_of_range"


@pytest.mark.parametrize("value", NOT_WHOLE)
def test_what_is_not_a_whole_number_is_refused(value):
    assert code(take, "poll_interval_seconds", value) == "not_whole"
    assert code(take, "timeout_seconds", value) == "not_whole"
    assert code(fields.resource_limits, {"memory_mb": value}) == "not_whole"


@pytest.mark.parametrize(("value", "expected"), [(9, "out_of_range"), (10, None), (3600, None), (3601, "out_of_range")])
def test_a_timeout_is_from_10_seconds_to_an_hour(value, expected):
    assert code(take, "timeout_seconds", value) == expected


@pytest.mark.parametrize(
    "value", [{}, {"memory_mb": 64}, {"memory_mb": 4096, "cpu_cores": 4}, {"cpu_cores": 0.1}, {"cpu_cores": 1}]
)
def test_limits_in_their_range_are_taken(value):
    fields.resource_limits(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *[({"memory_mb": number}, "out_of_range") for number in (0, 1, 63, 4097, 10**9)],
        ({"memory_mb": "512m"}, "not_whole"),
        *[({"cpu_cores": number}, "out_of_range") for number in (-1, 0, 0.001, 4.1, 1e9, math.nan, math.inf)],
        *[({"cpu_cores": wrong}, "not_number") for wrong in ("1", True, None)],
        *[({key: 1}, "unknown_key") for key in ("image", "network", "privileged", "volumes", "")],
        *[(wrong, "not_object") for wrong in ([], "x", 1, None, {1: 2})],
    ],
)
def test_other_limits_are_refused(value, expected):
    assert code(fields.resource_limits, value) == expected


# Name, runtime, entrypoint


@pytest.mark.parametrize("value", ["a", "Bätch 7", "<script>alert(1)</script>", "x" * 255, "日本"])
def test_a_name_is_any_visible_text(value):
    fields.name(value)


@pytest.mark.parametrize(
    "value", ["", " ", "\u3000", "x" * 256, "a\0b", "a\nb", "a\u202eb", "a\u200bb", "a\ud800", "\x1b[1m", 5, None]
)
def test_another_name_is_refused(value):
    assert code(fields.name, value)


@pytest.mark.parametrize("value", ["ruby", "python; x", "Python", "NODE", "", None, 1, ["python"]])
def test_another_runtime_is_refused(value):
    assert code(fields.runtime, value) == "runtime"
    assert code(fields.entrypoint, value, "main.py") == "runtime"


@pytest.mark.parametrize(
    ("runtime", "value"),
    [
        *[("python", path) for path in ("main.py", "src/a-b/c.py", "a..b.py", "_x.py", "x" * 252 + ".py")],
        *[("node", path) for path in ("index.js", "a.mjs", "lib/b.cjs")],
    ],
)
def test_an_entrypoint_is_a_relative_path(runtime, value):
    fields.entrypoint(runtime, value)


@pytest.mark.parametrize(
    "value",
    [
        *("main.py; rm -rf /", "$(id).py", "`id`.py", "a&&b.py", "a|b.py", "a>b.py", "a\nb.py", "main.py\n", "a b.py"),
        *("-c", "-m http.server", "--help", "-x.py", "a/-x.py", "../x.py", "/etc/passwd", "/proc/self/environ"),
        *("./../x.py", "./x.py", "a/../x.py", "a/./x.py", "a//x.py", "a\\x.py", ".x.py", "", "   ", "１.py", "ä.py"),
        *("x" * 253 + ".py", "main", "main.js", "main.pyc", "main.py/", "dir/", "a\0.py", None, 5),
    ],
)
def test_another_entrypoint_is_refused(value):
    assert code(fields.entrypoint, "python", value)


def test_the_suffix_fits_the_runtime():
    assert code(fields.entrypoint, "node", "main.py") == "entrypoint_suffix"


# Variables and parameters


@pytest.mark.parametrize(
    "name",
    [
        *("API_KEY", "a", "_", "A1", "x" * 128, "PYTHONHASHSEED", "PYTHONUNBUFFERED", "NODE_ENV", "TZ", "path"),
        *("PYTHON_ENV", "GIT_BRANCH", "GIT_COMMIT", "DOCKER_TAG", "USER"),
    ],
)
def test_a_variable_of_an_ordinary_name_is_taken(name):
    fields.env_vars({name: "x"})


@pytest.mark.parametrize(
    "name",
    [
        *("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "PATH", "HOME", "SHELL", "IFS", "BASH_ENV", "ENV", "PS4"),
        *("PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "PYTHONX", "NODE_OPTIONS", "NODE_PATH", "NPM_CONFIG_REGISTRY"),
        *("npm_config_registry", "PIP_INDEX_URL", "UV_INDEX", "HTTP_PROXY", "https_proxy", "NO_PROXY", "All_Proxy"),
        *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GIT_SSH_COMMAND", "DOCKER_HOST", "TECKO_STATE", "CHECK_PARAMS"),
        *("A=B", "A B", "1A", "", "Ä", "A\0", "A\n", "a\nB=1", "A-B", "x" * 129, "x" * 300),
    ],
)
def test_a_variable_of_another_name_is_refused(name):
    assert code(fields.env_vars, {name: "x"}) == "variable_name"
    assert not fields.is_variable_name(name)


@pytest.mark.parametrize("value", ["", "a\nb", "\"'", "$(id)", "😀", " ", "Bearer secret_ref:5", "secret_ref:my-key"])
def test_a_variable_holds_any_text(value):
    fields.env_vars({"A": value})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"A": "x\0"}, "not_storable"),
        ({"A": "\ud800"}, "not_storable"),
        ({"A": "x" * 32_769}, "variable_length"),
        ({f"A{number}": "x" * 30_000 for number in range(9)}, "variable_length"),
        ({f"A{number}": "" for number in range(101)}, "too_many"),
        *[({"A": wrong}, "not_string") for wrong in (1, None, True, [], {})],
        *[(wrong, "not_object") for wrong in ([], "A=B", None)],
    ],
)
def test_what_no_environment_or_database_can_hold_is_refused(value, expected):
    assert code(fields.env_vars, value) == expected


@pytest.mark.parametrize("reference", ["", " 1", "-1", "1;2", "²", "01"])
def test_a_malformed_reference_to_a_secret_is_refused(reference):
    assert code(fields.env_vars, {"A": f"secret_ref:{reference}"}) == "secret_ref"
    assert code(fields.webhook_headers, {"A": f"Bearer secret_ref:{reference}"}) == "secret_ref"
    assert code(fields.webhook_query_params, {"A": f"secret_ref:{reference}"}) == "secret_ref"


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": [1, 2.5, None, True, "é😀", {"b": {}}]},
        {"PATH": ["x"], "run-ids": [1], "run-id": None, "in": {"run-id": 1, "HOME": "x"}},
        {"n": 10**30 - 1},
        {"a": dict.fromkeys(map(str, range(500)))},
    ],
)
def test_parameters_are_any_json_object(value):
    fields.check_params(value)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("run-id", "run_id"),
        ("a b", "a_b"),
        ("größe", "gr__e"),
        ("ENV", "PARAM_ENV"),
        ("HOME", "PARAM_HOME"),
        ("GIT_SSH_COMMAND", "PARAM_GIT_SSH_COMMAND"),
        ("CHECK_PARAMS", "PARAM_CHECK_PARAMS"),
        ("1st", "another_name"),
        ("x" * 200, "another_name"),
        ("", "another_name"),
    ],
)
@pytest.mark.parametrize("value", ["x", 1, 1.5, True])
def test_a_parameter_that_cannot_be_a_variable_is_refused_by_its_name(name, other, value):
    with pytest.raises(ValidationError) as refused:
        fields.check_params({name: value, "fine": 1})
    assert refused.value.code == "params_name"
    assert repr(name)[:80] in refused.value.messages[0]
    assert repr(other) in refused.value.messages[0]


def nested(depth):
    return {"a": nested(depth - 1)} if depth else 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *[(wrong, "not_object") for wrong in ([], "x", None, 1, {1: 2})],
        *[({"a": [number]}, "params_number") for number in (math.nan, math.inf, -math.inf, 10**30, -(10**400))],
        *[({"a": {"b": text}}, "not_storable") for text in ("\0", "\udfff")],
        ({"a": {"\0": 1}}, "not_storable"),
        ({"a": {1: 1}}, "not_object"),
        ({"a": "x" * 65_536}, "params_length"),
        (nested(40), "params_depth"),
        ({"a": object()}, "params_type"),
    ],
)
def test_parameters_that_cannot_be_stored_are_refused(value, expected):
    assert code(fields.check_params, value) == expected


# URLs


@pytest.mark.parametrize(
    "url",
    ["https://example.com/x", "https://localhost-tools.example.com/a?b=c&d=%20", "https://xn--bcher-kva.example/"],
)
def test_a_public_url_is_taken(url):
    fields.webhook_url(url)


REFUSED_URLS = [
    *("http://example.com/x", "git://example.com/x", "ssh://example.com/x", "file:///etc/passwd", "/x", "x", ""),
    *("ext::sh -c id", "fd::3", "HTTPS://example.com/x", "https::https://example.com/x", "//example.com/x", "https:/x"),
    *("https://user:pw@example.com/x", "https://user@example.com/x", "https://example.com:x@127.0.0.1/x"),
    *("https://example.com:22/x", "https://example.com:0/x", "https://example.com:99999/x", "https://example.com:x/x"),
    *("https:///x", "https://", "https://?x", "https://127.1/x", "https://2130706433/x", "https://0x7f000001/x"),
    *("https://0177.0.0.1/x", "https://[::1]/x", "https://[::ffff:7f00:1]/x", "https://[64:ff9b::7f00:1]/x"),
    *("https://[2002:7f00:1::]/x", "https://①②⑦.⓪.⓪.①/x", "https://127。0。0。1/x", "https://169.254.169.254/x"),
    *("https://[fd00:ec2::254]/x", "https://100.100.100.200/x", "https://168.63.129.16/x", "https://127.0.0.1/x"),
    *(
        "https://10.0.0.1/x",
        "https://localhost/x",
        "https://exa mple.com/x",
        "https://example.com/x\n",
        "https://[::1/x",
    ),
    *("https://example.com/\tx", "https://example.com/\0x", "https://example.com/%0d%0ax", "https://example.com/%00"),
    *(
        "https://example.com/\\x",
        "https://example.com/#x",
        "https://example.com/" + "x" * 481,
        None,
        5,
        ["https://a.b"],
    ),
    *("https://example.com/secret_ref:5", "https://example.com/{job_id}", "https://a..example.com/x"),
]


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_another_url_is_refused_for_webhooks_and_repositories(url):
    assert code(fields.webhook_url, url)
    assert code(fields.git_url, url)


@pytest.mark.parametrize("url", ["http://hooks.intern:8080/x", "http://10.1.2.3/x", "https://10.1.2.3:9000/x"])
def test_the_operator_can_allow_hosts_of_his_own(url):
    assert code(fields.webhook_url, url)
    fields.webhook_url(url, allow=["hooks.intern", "10.1.0.0/16"])


def test_plain_http_is_refused_for_a_host_that_is_not_allowed():
    assert code(fields.webhook_url, "http://example.com/x", allow=["hooks.intern"]) == "url"


def test_a_repository_has_https_a_path_and_no_query():
    fields.git_url("https://example.com/team/repo.git")
    assert code(fields.git_url, "https://example.com/") == "url_path"
    assert code(fields.git_url, "https://example.com/x?y=1") == "url_query"
    assert code(fields.git_url, "http://git.intern/x", allow=["git.intern"]) == "url_scheme"


@pytest.mark.parametrize("value", ["main", "release/1.0", "feature_x-y", "größe", "a.b", "a@b", "x" * 100])
def test_a_branch_is_taken(value):
    fields.git_branch(value)


REFUSED_BRANCHES = [
    *("--upload-pack=touch x", "-c", ":refs/heads/x", "+x", "a..b", "a~1", "a^{}", "a^", "@{-1}", "a@{1}", "x.lock"),
    *("x.lock/y", "*", "a?", "[a", "", "x" * 101, "a\0", "a b", "a\n", "a\x7f", "a\u202eb", "a\u200b", "\ud800"),
    *("a\\b", ".a", "a/.b", "/a", "a/", "a//b", "a.", "@", "HEAD", None, 5),
]


@pytest.mark.parametrize("value", REFUSED_BRANCHES)
def test_another_branch_is_refused(value):
    assert code(fields.git_branch, value)


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("ab/.-@{~^:?*[\\ lock+é"), min_size=1, max_size=12))
def test_git_takes_every_branch_that_we_take(value):
    if code(fields.git_branch, value) is None:
        subprocess.run(["git", "check-ref-format", "--branch", value], check=True, capture_output=True)


# Webhooks


@pytest.mark.parametrize("value", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_method_is_taken(value):
    fields.webhook_method(value)


@pytest.mark.parametrize("value", ["TRACE", "CONNECT", "HEAD", "get", "POST\r\n", "", None, 1, ["GET"]])
def test_another_method_is_refused(value):
    assert code(fields.webhook_method, value) == "method"


@pytest.mark.parametrize(
    "value",
    [{}, {"Authorization": "Bearer secret_ref:5", "X-A": "é ü\tx"}, {"content-type": "text/x"}, {"A": "x" * 4096}],
)
def test_headers_are_taken(value):
    fields.webhook_headers(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *[
            ({"A": text}, "header_value")
            for text in ("a\rb", "a\nb", "a\0b", "a\x7f", "\x85", "€", "x" * 4097, " a", "a ")
        ],
        *[({key: "x"}, "header_name") for key in ("", "a b", "a:", "a\n", "é", "x" * 101)],
        *[({key: "x"}, "header_reserved") for key in (*sorted(RESERVED_HEADERS), "content-LENGTH", "Proxy-X")],
        *[({key: "x"}, "header_reserved") for key in ("webhook-id", "Webhook-Signature", "Connection", "TE")],
        ({"A": "1", "a": "2"}, "header_twice"),
        ({"A": 1}, "not_string"),
        ({f"A{number}": "" for number in range(101)}, "too_many"),
        ("A: b", "not_object"),
    ],
)
def test_other_headers_are_refused(value, expected):
    assert code(fields.webhook_headers, value) == expected


def test_query_values_hold_templates_and_secrets():
    fields.webhook_query_params({"id": "x-{job_id}-y", "é": "{data.a.b}", "token": "secret_ref:5", "empty": ""})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *[
            ({"a": text}, "template")
            for text in ("{data.__class__}", "{0}", "{job_id!r}", "{{", "}", "{nope}", "x" * 2049)
        ],
        *[({key: "x"}, "query_name") for key in ("", "x" * 101, "a\nb", "{job_id}", "a\0")],
        *[({"a": text}, "not_storable") for text in ("\0", "\ud800")],
        ({"a": 1}, "not_string"),
        (["a"], "not_object"),
    ],
)
def test_other_query_values_are_refused(value, expected):
    assert code(fields.webhook_query_params, value) == expected


# A whole job


def job(**changed):
    plain = {
        "name": "n",
        "script_source_type": "git",
        "script_git_url": "https://example.com/r.git",
        "script_git_branch": "main",
        "script_runtime": "python",
        "script_entrypoint": "main.py",
        "webhook_url": "https://example.com/",
        "webhook_method": "POST",
    }
    return CustomCheckJob(**{**plain, **changed})


def test_a_sound_job_is_taken():
    fields.job(job())
    fields.job(job(script_source_type="upload", script_git_url=None, webhook_url=None, script_entrypoint=""))


def test_a_job_hears_of_all_its_faults_by_field():
    wrong = {
        "name": "",
        "script_git_url": None,
        "script_git_branch": "-x",
        "script_entrypoint": "/x",
        "webhook_url": "http://x",
        "webhook_method": "TRACE",
    }
    with pytest.raises(ValidationError) as caught:
        job(**wrong).full_clean()
    assert set(caught.value.message_dict) == set(wrong)


@pytest.mark.parametrize("setting", [[], ["10.0.0.0/8"]])
def test_the_operators_allow_list_decides_about_a_jobs_urls(settings, setting):
    settings.TECKO_WEBHOOK_ALLOW = setting
    internal = job(webhook_url="http://10.1.1.1/x", script_git_url="https://10.1.1.1/x")
    if setting:
        fields.job(internal)
    else:
        with pytest.raises(ValidationError, match="TECKO_WEBHOOK_ALLOW"):
            fields.job(internal)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=8,
)


@given(values | st.dictionaries(st.text(), st.text()))
@pytest.mark.parametrize(
    "check",
    [
        *(
            fields.name,
            fields.runtime,
            partial(take, "poll_interval_seconds"),
            partial(take, "timeout_seconds"),
            fields.resource_limits,
        ),
        *(fields.env_vars, fields.check_params, fields.git_url, fields.git_branch, fields.webhook_url),
        *(fields.webhook_method, fields.webhook_headers, fields.webhook_query_params),
    ],
)
def test_any_value_is_taken_or_refused_and_nothing_else(check, value):
    code(check, value)
