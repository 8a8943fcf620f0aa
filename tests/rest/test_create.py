"""Creating a job: everything or nothing, and every refusal names its field."""

import io
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from customchecks.models import CustomCheckJob, ScriptArchive
from secrets_app.models import Secret, SecretGrant
from tests.archives import tgz
from tests.rest.conftest import CONFIG

pytestmark = pytest.mark.django_db
Create = Callable[..., Any]


def nothing_stored() -> bool:
    return not (CustomCheckJob.objects.exists() or ScriptArchive.objects.exists() or SecretGrant.objects.exists())


def hostile(**fields: object) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("main.py")
        for name, value in fields.items():
            setattr(entry, name, value)
        archive.addfile(entry)
    return packed.getvalue()


def test_a_job_is_created_with_its_script_in_one_request(create: Create) -> None:
    answer = create(check_params={"batch": 7})
    job = CustomCheckJob.objects.get()
    assert answer.status_code == 201
    assert answer.json()["id"] == job.pk
    assert answer.json()["script_entrypoint"] == "main.py"
    assert answer.json()["script_sha256"] == job.script_archive_id
    assert job.next_check_at is not None


def test_a_node_job_runs_index_js_unless_it_says_otherwise(create: Create) -> None:
    assert create(script={"index.js": ""}, script_runtime="node").json()["script_entrypoint"] == "index.js"


def test_a_job_without_its_script_is_created_and_not_due_until_the_upload(client: APIClient) -> None:
    created = client.post("/api/custom-checks", CONFIG, format="json")
    assert created.status_code == 201
    assert created.json()["next_check_at"] is None
    path = f"/api/custom-checks/{created.json()['id']}"
    uploaded = client.post(f"{path}/script/upload", {"file": io.BytesIO(tgz({"main.py": ""}))}, format="multipart")
    assert uploaded.status_code == 200, uploaded.json()
    assert client.get(path).json()["next_check_at"] is not None


def test_two_jobs_of_the_same_script_share_one_archive(create: Create) -> None:
    create()
    create()
    assert ScriptArchive.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 256),
        ("name", "a\u0000b"),
        ("script_runtime", "ruby"),
        ("script_runtime", "Python"),
        ("script_source_type", "ftp"),
        ("script_entrypoint", "../x.py"),
        ("script_entrypoint", "main.py; rm -rf /"),
        ("poll_interval_seconds", 9),
        ("poll_interval_seconds", 86401),
        ("poll_interval_seconds", "60"),
        ("poll_interval_seconds", 60.5),
        ("poll_interval_seconds", True),
        ("poll_interval_seconds", None),
        ("timeout_seconds", 3601),
        ("check_params", []),
        ("env_vars", {"LD_PRELOAD": "x"}),
        ("env_vars", {"A": 1}),
        ("resource_limits", {"memory_mb": 1}),
        ("resource_limits", {"cores": 1}),
        ("webhook_url", "http://169.254.169.254/"),
        ("webhook_url", "ftp://example.com/"),
        ("webhook_method", "TRACE"),
        ("webhook_headers", {"A": "b\r\nC: d"}),
        ("webhook_query_params", {"a": "{data.__class__}"}),
        ("image", "evil"),
        ("privileged", True),
        ("status", "completed"),
        ("id", 7),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name_and_nothing_is_stored(
    create: Create, field: str, value: object
) -> None:
    answer = create(**{field: value})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert answer.json()["detail"]
    assert nothing_stored()


@pytest.mark.parametrize(
    "raw", ["", "{", "[]", '{"name": NaN}', '{"name": "a", "name": "b"}', "[" * 100_000, '{"a": 1' + "0" * 400 + "}"]
)
def test_a_config_that_is_no_json_object_is_refused(create: Create, raw: str) -> None:
    answer = create(raw=raw)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["config"])


def test_a_missing_entrypoint_is_refused(create: Create) -> None:
    answer = create(script={"other.py": ""})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["script_entrypoint"])
    assert nothing_stored()


@pytest.mark.parametrize(
    "script",
    [
        b"",
        b"no archive",
        tgz({"main.py": "x" * 5000})[:60],
        hostile(name="/etc/passwd"),
        hostile(name="../main.py"),
        hostile(type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        hostile(type=tarfile.LNKTYPE, linkname="x"),
        hostile(type=tarfile.CHRTYPE),
        hostile(type=tarfile.FIFOTYPE),
    ],
    ids=["empty", "text", "cut", "absolute", "escaping", "symlink", "hardlink", "device", "fifo"],
)
def test_a_hostile_archive_is_refused(create: Create, script: bytes) -> None:
    answer = create(script=script)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["script"]
    assert nothing_stored()


def test_an_archive_over_10_mb_is_too_large(create: Create) -> None:
    answer = create(script=b"\0" * (10 * 1024 * 1024 + 1))
    assert answer.status_code == 413
    assert "10 MB" in answer.json()["detail"]
    assert nothing_stored()


@pytest.mark.parametrize("reference", ["secret_ref:999999", "secret_ref:none", "secret_ref:", "secret_ref:1;2"])
def test_a_reference_to_no_secret_is_refused(create: Create, reference: str) -> None:
    answer = create(env_vars={"API_KEY": reference})
    (field,) = answer.json()["errors"]
    assert (answer.status_code, field.partition(".")[0]) == (400, "env_vars")
    assert "secret" in answer.json()["detail"]
    assert nothing_stored()


def test_a_reference_to_a_secret_grants_it_to_the_job(create: Create) -> None:
    secret = Secret(name="key", type="generic")
    secret.set_value("a secret value")
    secret.save()
    job_id = create(env_vars={"API_KEY": "secret_ref:key"}).json()["id"]
    assert SecretGrant.objects.get().job_id == job_id


def test_a_git_job_has_no_upload(create: Create) -> None:
    answer = create(script_source_type="git", script_git_url="https://git.example.com/r.git")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["script"])
