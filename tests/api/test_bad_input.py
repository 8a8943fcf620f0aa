"""What is refused with 400 names its field and stores nothing."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from customchecks.jobs.models import CustomCheckJob, ScriptArchive
from secrets_app.models import Secret, SecretGrant
from tests.api.conftest import JOBS, SCRIPT, config, form, submit
from tests.customchecks.archives.test_script_archive import MAIN, filler, member, raw_header, raw_tgz
from tests.customchecks.archives.test_script_archive import compressed as packed
from tests.factories import tgz as gzipped

GIT = {"script_source_type": "git"}


@pytest.fixture(autouse=True)
def nothing_is_stored(client: APIClient) -> Iterator[None]:
    yield
    assert [model.objects.count() for model in (CustomCheckJob, ScriptArchive, SecretGrant)] == [0, 0, 0]


def errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 400, answer.content
    body = answer.json()
    assert body["detail"]
    assert all(isinstance(messages, list) and messages for messages in body["errors"].values())
    return body["errors"]


@pytest.mark.parametrize("path", [JOBS, f"{JOBS}/bulk/pause", "/api/groups", "/api/jobs"])
def test_a_body_of_very_many_fields_is_not_answered_field_by_field(client: APIClient, path: str) -> None:
    answer = client.post(path, {f"k{number}": 1 for number in range(101)})
    assert answer.status_code == (422 if path == "/api/jobs" else 400)
    assert answer.json() == {"detail": "The body is not JSON that can be used: it has more than 100 fields."}


@pytest.mark.parametrize(
    ("method", "path", "word", "meant"),
    [
        ("post", JOBS, "webhok_url", "webhook_url"),
        ("put", f"{JOBS}/by-name/x", "check_parms", "check_params"),
        ("post", f"{JOBS}/bulk/pause", "id", "ids"),
        ("post", f"{JOBS}/import", "Jobs", "jobs"),
        ("post", "/api/groups", "member", "members"),
        ("post", "/api/jobs", "batch_id", "batch_ids"),
    ],
)
def test_a_mistyped_field_is_told_the_nearest(client: APIClient, method: str, path: str, word: str, meant: str) -> None:
    given = {meant: []} if path.endswith("import") else {}
    found = getattr(client, method)(path, {**given, word: "x"}).json()["errors"]
    assert found[word] == [f"There is no such field. Is {meant} meant?"]


WHOLE = ["60", 60.5, True, None, [60], 0, 9, -1, 10**9, 10**29]
WRONG: list[tuple[str, Any]] = [
    *(("poll_interval_seconds", value) for value in WHOLE),
    *(("timeout_seconds", value) for value in WHOLE),
    *(("deadline_seconds", value) for value in WHOLE),
    *(("max_checks", value) for value in ["60", 60.5, True, None, 0, -1, 10**9]),
    *(("max_consecutive_errors", value) for value in ["60", 60.5, True, None, 0, -1, 1001]),
    *(("alert_after_errors", value) for value in ["60", 60.5, True, 0, -1, 1001]),
    *(("alert_url", value) for value in ["http://example.com", "https://127.1/", "https://u:p@example.com", 5]),
    *((name, "x") for name in ("deadline_at", "alerting", "alert_count", "next_check_in")),
    *(("name", value) for value in ["", "  ", 5, None, True, ["x"], "x" * 256, "a\0b", "\ud800", "a\u202eb", "a\nb"]),
    *(("script_runtime", value) for value in ["ruby", "Python", "python; x", "", None, 3, {}, "\ud800"]),
    *(("script_source_type", value) for value in ["svn", "", None, []]),
    *(
        ("script_entrypoint", value)
        for value in ["../x.py", "/etc/passwd", "-c", "main.py; rm", "main.js", 7, "x\0.py"]
    ),
    ("script_entrypoint", "missing.py"),
    *(("check_params", value) for value in [None, [], "x", {"a": "\0"}, {"a": "\udc00"}, {"run-id": 1}, {"ENV": "x"}]),
    *(
        ("env_vars", value)
        for value in [[], "x", {"A": 1}, {"A": None}, {"LD_PRELOAD": "x"}, {"A": "x\0"}, {"A=B": ""}]
    ),
    ("env_vars", {"A": "secret_ref:1;2"}),
    *(("resource_limits", value) for value in [[], {"memory_mb": 1}, {"memory_mb": "512m"}, {"cpu_cores": True}]),
    *(("webhook_url", value) for value in ["http://example.com", "https://127.1/", "https://u:p@example.com", 5]),
    *(("webhook_method", value) for value in ["get", "TRACE", "", None]),
    *(("webhook_headers", value) for value in [{"X": "a\r\nb"}, {"A b": "x"}, [], {"X": 1}]),
    *(("webhook_query_params", value) for value in [{"a": "{data.__class__}"}, {"a": "{"}, []]),
    *(("script_git_url", value) for value in ["file:///etc", "https://x/\0", 5]),
    *(("script_git_branch", value) for value in ["--upload-pack=x", "a..b", 5]),
    *(
        (name, 1)
        for name in ["image", "network", "privileged", "volumes", "id", "status", "owner", "claim_id", "cycle"]
    ),
    *((name, "x") for name in ["next_check_at", "last_check_status", "script_archive", "script_sha256", "script", ""]),
]


@pytest.mark.parametrize(("field", "value"), WRONG, ids=lambda value: ascii(value)[:40])
def test_a_wrong_value_is_refused_by_its_name(client: APIClient, field: str, value: Any) -> None:
    assert list(errors(submit(client, form(**{field: value})))) == [field]


@pytest.mark.parametrize("field", ["name", "script_source_type", "script_runtime"])
def test_a_field_that_must_be_there_is_named(client: APIClient, field: str) -> None:
    given = config()
    del given[field]
    assert list(errors(client.post(JOBS, given))) == [field]


def test_everything_wrong_is_said_at_once(client: APIClient) -> None:
    found = errors(client.post(JOBS, config(name="", timeout_seconds=1, nonsense=1, env_vars={"A": "secret_ref:9"})))
    assert set(found) == {"name", "timeout_seconds", "nonsense", "env_vars.A"}


@pytest.mark.parametrize("reference", ["secret_ref:999999", "secret_ref:nobody", "Bearer secret_ref:7"])
@pytest.mark.parametrize("field", ["env_vars", "webhook_headers", "webhook_query_params"])
def test_an_unknown_secret_is_refused_by_its_key(client: APIClient, field: str, reference: str) -> None:
    assert list(errors(submit(client, form(**{field: {"KEY": reference}})))) == [f"{field}.KEY"]


def test_a_secret_of_others_is_as_unknown_as_none(
    login: Callable[..., APIClient], make_secret: Callable[..., Secret], boss: User
) -> None:
    make_secret("gemini").allowed_users.add(boss)
    stranger = login("add_customcheckjob", "use_secret")
    found = errors(submit(stranger, form(env_vars={"A": "secret_ref:gemini", "B": "secret_ref:nobody"})))
    assert found["env_vars.A"][0].replace("gemini", "nobody") == found["env_vars.B"][0]


@pytest.mark.parametrize(
    "url",
    [None, "", "http://example.com/x.git", "https://127.1/x", "https://[::1]/x", "https://u:p@h.example/x", "ext::sh"],
)
def test_a_job_from_git_needs_a_safe_url(client: APIClient, url: str | None) -> None:
    assert list(errors(client.post(JOBS, config(**GIT, script_git_url=url)))) == ["script_git_url"]


def test_a_job_from_git_takes_no_script(client: APIClient) -> None:
    assert list(errors(submit(client, form(**GIT, script_git_url="https://git.example.com/x")))) == ["script"]


SOUND, EMPTY = gzipped(SCRIPT), gzipped({})
ARCHIVES = {
    "no gzip": b"PK\x03\x04 zip",
    "nothing": b"",
    "truncated": SOUND[:-20],
    "trailing": SOUND + b"x",
    "empty tar": EMPTY,
    "absolute": packed(MAIN, member("/etc/x")),
    "escaping": packed(MAIN, member("../x")),
    "symlink": packed(MAIN, member("x", b"", type=b"2", linkname="/etc")),
    "hard link": packed(MAIN, member("x", b"", type=b"1", linkname="main.py")),
    "device": packed(MAIN, member("x", b"", type=b"3")),
    "fifo": packed(MAIN, member("x", b"", type=b"6")),
    "doubled": packed(MAIN, MAIN),
    "collision": packed(MAIN, member("Main.py")),
    "control character": packed(MAIN, member("a\x1bb")),
    "bomb": packed(MAIN, member("zeros", filler(9 * 1024 * 1024, 1024))),
    "too many": packed(*(member(f"f{number}", b"") for number in range(2001))),
    "lying size": raw_tgz(raw_header(size=10**9)),
}


@pytest.mark.parametrize("content", ARCHIVES.values(), ids=ARCHIVES.keys())
def test_a_hostile_archive_is_refused_as_the_script(client: APIClient, content: bytes) -> None:
    assert list(errors(submit(client, form(content)))) == ["script"]


@pytest.mark.parametrize(
    "parts",
    [
        {"script": SimpleUploadedFile("x.tgz", SOUND)},
        {"config": SimpleUploadedFile("config.json", b"{}")},
        {"config": ""},
        {"config": "[]"},
        {"config": "null"},
        {"config": "{'name': 1}"},
        {"config": '{"name": "a", "name": "b"}'},
        {"config": '{"timeout_seconds": NaN}'},
        {"config": '{"timeout_seconds": 1e999}'},
        {"config": '{"a":' * 100 + "1" + "}" * 100},
        {"config": "[" * 100_000},
        {"config": '{"timeout_seconds": ' + "9" * 400 + "}"},
        {"config": ["{}", "{}"]},
    ],
    ids=str,
)
def test_a_config_that_cannot_be_read_is_named(client: APIClient, parts: dict[str, Any]) -> None:
    assert list(errors(submit(client, parts))) == ["config"]


def test_a_script_that_is_no_file_is_refused(client: APIClient) -> None:
    assert list(errors(submit(client, {"config": json.dumps(config()), "script": "text"}))) == ["script"]


def test_a_part_that_nobody_asked_for_is_refused(client: APIClient) -> None:
    assert list(errors(submit(client, form() | {"image": "x"}))) == ["image"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"a": 1, "a": 2}',
        b'{"a": "\x00"}',
        b"[" * 100000,
        b'{"\\ud800": 1}',
    ],
    ids=lambda body: ascii(body[:20]),
)
def test_a_body_that_cannot_be_read_is_a_sentence(client: APIClient, body: bytes) -> None:
    answer = client.generic("POST", JOBS, body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["detail"]


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_415(client: APIClient, kind: str) -> None:
    answer = client.generic("POST", JOBS, b"name=x", content_type=kind)
    assert answer.status_code == 415
    assert answer.json()["detail"]


def test_a_form_that_is_none_is_400(client: APIClient) -> None:
    answer = client.generic("POST", JOBS, b"x", content_type="multipart/form-data")
    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_too_many_parts_are_400(client: APIClient) -> None:
    answer = submit(client, {f"part{number}": "" for number in range(2000)})
    assert answer.status_code == 400
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body", "known"),
    [
        ("/api/tokens", {"scope": "write"}, "read, operate, admin"),
        ("/api/admin/secrets", {"name": "x", "value": "long enough", "type": "gcp"}, "openai, keboola, generic"),
    ],
    ids=str,
)
def test_a_wrong_choice_is_told_what_can_be_chosen(boss: User, path: str, body: dict[str, str], known: str) -> None:
    client = APIClient()
    client.force_login(boss)
    answer = client.post(path, body, format="json")
    assert (answer.status_code, f"Use one of: {known}." in answer.json()["detail"]) == (400, True)
