"""What a client of version 0.9.6 does, call by call, and every field of what it is answered.

``Client`` is as much of a library as such a client uses: ``requests`` and ``httpx`` both have it.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from tests.polling.sweep.leases import on_duty

TEXT, NUMBER = str, int
MOMENT, MAYBE_MOMENT = "moment", "moment or null"

SECRET = {"id": NUMBER, "name": TEXT, "type": TEXT, "created_at": MOMENT}
BATCH = {"id": NUMBER, "batch_id": TEXT, "status": TEXT, "created_at": MOMENT, "completed_at": MAYBE_MOMENT}
LOG = {"id": NUMBER, "job_id": NUMBER, "status": TEXT, "message": TEXT, "created_at": MOMENT}
JOB = {
    "id": NUMBER,
    "name": TEXT,
    "batches": [BATCH],
    "batch_count": NUMBER,
    "completed_count": NUMBER,
    "failed_count": NUMBER,
    "openai_secret_id": NUMBER,
    "openai_secret_name": TEXT,
    "keboola_secret_id": NUMBER,
    "keboola_secret_name": TEXT,
    "keboola_stack_url": TEXT,
    "keboola_component_id": TEXT,
    "keboola_configuration_id": TEXT,
    "poll_interval_seconds": NUMBER,
    "status": TEXT,
    "last_check_at": MAYBE_MOMENT,
    "next_check_at": MAYBE_MOMENT,
    "created_at": MOMENT,
    "completed_at": MAYBE_MOMENT,
}
PARTS = ("database", "sweep", "engine", "rules", "queue", "disk", "checks", "deliveries")
HEALTH = {
    "status": TEXT,
    "timestamp": MOMENT,
    "version": TEXT,
    "reasons": list,
    "checks_waiting": NUMBER,
    "deliveries_waiting": NUMBER,
    "sweep_age_seconds": float,
    **dict.fromkeys(PARTS, TEXT),
}
COUNTS = ("total_jobs", "active_jobs", "paused_jobs", "completed_jobs", "failed_jobs", "total_secrets", "total_logs")
STATS = {**dict.fromkeys(COUNTS, NUMBER), "uptime_seconds": float}

VALID = {
    "name": "nightly",
    "batch_ids": ["batch_67a1f0", "batch_x-Y_9"],
    "keboola_stack_url": "https://connection.example.com",
    "keboola_component_id": "kds.app",
    "keboola_configuration_id": "42",
}
WRONG: Mapping[str, list[Any]] = {
    "name": ["", "x" * 256, None, 5],
    "batch_ids": [
        *([], ["batch_"], ["67a1"], ["batch_a b"], ["batch_a", "batch_a"], ["batch_" + "x" * 250], "batch_a", [7]),
        [f"batch_{number}" for number in range(11)],
    ],
    "poll_interval_seconds": [29, 3601, "60", 60.5, None],
    "keboola_stack_url": ["", "nowhere", "ftp://connection.example.com"],
    "keboola_component_id": [""],
    "keboola_configuration_id": ["", None],
    "colour": ["red"],
}


class Answer(Protocol):
    status_code: int
    text: str

    def json(self) -> Any: ...


class Client(Protocol):
    def request(self, method: str, url: str, *, json: Any = None, params: Any = None) -> Answer: ...


def has(found: Any, shape: Any) -> None:
    """``found`` has exactly the fields of ``shape``, each of its type."""
    if isinstance(shape, dict):
        assert set(found) == set(shape), set(found) ^ set(shape)
        for name, inner in shape.items():
            has(found[name], inner)
    elif isinstance(shape, list):
        assert found
        for item in found:
            has(item, shape[0])
    elif shape in (MOMENT, MAYBE_MOMENT):
        assert found is not None or shape == MAYBE_MOMENT
        assert found is None or datetime.fromisoformat(found).tzinfo is not None
    else:
        assert type(found) is shape, f"{found!r} is no {shape}"


class Walk:
    def __init__(self, client: Client, origin: str, *, add_log: Callable[[int], None]) -> None:
        self._client, self._origin, self._add_log = client, origin, add_log

    def call(self, method: str, path: str, expected: int, *, body: Any = None, query: Any = None) -> Any:
        answer = self._client.request(method, f"{self._origin}{path}", json=body, params=query)
        assert answer.status_code == expected, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        found = answer.json() if answer.text else None
        if expected >= 400:
            assert type(found["detail"]) is str
        return found

    def everything(self) -> None:
        self.system(jobs=0)
        secrets = self.secrets()
        job = self.create(secrets)
        self.wrong(secrets)
        self.read(job)
        self.change(job)
        self.pause_and_resume(job)
        self.system(jobs=1)
        self.remove(job, secrets)

    def system(self, *, jobs: int) -> None:
        on_duty()
        health = self.call("GET", "/api/health", 200)
        has(health, HEALTH)
        assert health["status"] == "healthy"
        stats = self.call("GET", "/api/stats", 200)
        has(stats, STATS)
        assert (stats["total_jobs"], stats["active_jobs"], stats["paused_jobs"]) == (jobs, jobs, 0)

    def secrets(self) -> dict[str, int]:
        made = {}
        for kind in ("openai", "keboola", "generic"):
            body = {"name": f"my {kind}", "type": kind, "value": f"value-of-{kind}"}
            secret = self.call("POST", "/api/admin/secrets", 201, body=body)
            has(secret, SECRET)
            assert (secret["name"], secret["type"]) == (body["name"], kind)
            assert "already" in self.call("POST", "/api/admin/secrets", 409, body=body)["detail"]
            assert self.call("GET", f"/api/admin/secrets/{secret['id']}", 200) == secret
            made[kind] = secret["id"]
        listed = self.call("GET", "/api/admin/secrets/", 200)
        has(listed, {"secrets": [SECRET], "total": NUMBER})
        assert listed["total"] == 3
        self.call("GET", "/api/admin/secrets/999999", 404)
        return made

    def create(self, secrets: dict[str, int]) -> dict[str, Any]:
        job: dict[str, Any] = self.call("POST", "/api/jobs", 201, body=VALID | ids(secrets))
        has(job, JOB)
        given = {name: value for name, value in VALID.items() if name != "batch_ids"} | ids(secrets)
        assert {name: job[name] for name in given} == given
        assert (job["openai_secret_name"], job["keboola_secret_name"]) == ("my openai", "my keboola")
        assert [batch["batch_id"] for batch in job["batches"]] == VALID["batch_ids"]
        assert {batch["status"] for batch in job["batches"]} == {"in_progress"}
        assert (job["batch_count"], job["completed_count"], job["failed_count"]) == (2, 0, 0)
        assert (job["status"], job["poll_interval_seconds"]) == ("active", 120)
        assert job["next_check_at"]
        return job

    def wrong(self, secrets: dict[str, int]) -> None:
        for name, values in WRONG.items():
            for value in values:
                self.call("POST", "/api/jobs", 422, body=VALID | ids(secrets) | {name: value})
        for missing in VALID:
            body = {name: value for name, value in (VALID | ids(secrets)).items() if name != missing}
            self.call("POST", "/api/jobs", 422, body=body)
        for unknown in (999_999, secrets["keboola"], secrets["generic"]):
            self.call("POST", "/api/jobs", 404, body=VALID | ids(secrets) | {"openai_secret_id": unknown})
        self.call("POST", "/api/jobs", 404, body=VALID | ids(secrets) | {"keboola_secret_id": secrets["openai"]})
        assert self.call("GET", "/api/jobs", 200)["total"] == 1

    def read(self, job: dict[str, Any]) -> None:
        path = f"/api/jobs/{job['id']}"
        for status, found in (("active", [job]), ("paused", []), ("completed_with_failures", [])):
            assert self.call("GET", "/api/jobs/", 200, query={"status": status}) == {"jobs": found, "total": len(found)}
        self.call("GET", "/api/jobs", 422, query={"status": "sleeping"})
        self._add_log(job["id"])
        self._add_log(job["id"])
        shown = self.call("GET", path, 200, query={"include_logs": "true", "log_limit": 50})
        has(shown, {**JOB, "logs": [LOG]})
        assert [log["id"] for log in shown["logs"]] == sorted((log["id"] for log in shown["logs"]), reverse=True)
        assert len(self.call("GET", path, 200, query={"include_logs": "true", "log_limit": 1})["logs"]) == 1
        assert self.call("GET", path, 200, query={"include_logs": "false"}) == job
        for limit in (0, 501, "many"):
            self.call("GET", path, 422, query={"log_limit": limit})
        self.call("GET", "/api/jobs/999999", 404)

    def change(self, job: dict[str, Any]) -> None:
        path = f"/api/jobs/{job['id']}"
        changes = {
            "name": "weekly",
            "keboola_stack_url": "https://connection.eu.example.com",
            "keboola_component_id": "kds.other",
            "keboola_configuration_id": "43",
            "poll_interval_seconds": 3600,
        }
        for name, value in changes.items():
            changed = self.call("PUT", path, 200, body={name: value})
            has(changed, JOB)
            assert changed[name] == value
            for wrong in WRONG[name]:
                self.call("PUT", path, 422, body={name: wrong})
        shown = self.call("GET", path, 200, query={"include_logs": "false"})
        assert {name: shown[name] for name in changes} == changes
        self.call("PUT", "/api/jobs/999999", 404, body={"name": "x"})

    def pause_and_resume(self, job: dict[str, Any]) -> None:
        path = f"/api/jobs/{job['id']}"
        self.call("POST", f"{path}/resume", 409)
        paused = self.call("POST", f"{path}/pause", 200)
        has(paused, JOB)
        assert paused["status"] == "paused"
        self.call("POST", f"{path}/pause/", 409)
        resumed = self.call("POST", f"{path}/resume/", 200)
        has(resumed, JOB)
        assert resumed["status"] == "active"
        assert datetime.fromisoformat(resumed["next_check_at"]) <= datetime.now(UTC)

    def remove(self, job: dict[str, Any], secrets: dict[str, int]) -> None:
        used = self.call("DELETE", f"/api/admin/secrets/{secrets['openai']}", 409)
        assert str(job["id"]) in used["detail"]
        assert self.call("DELETE", f"/api/jobs/{job['id']}", 204) is None
        self.call("GET", f"/api/jobs/{job['id']}", 404)
        self.call("DELETE", f"/api/jobs/{job['id']}", 404)
        for secret in secrets.values():
            assert self.call("DELETE", f"/api/admin/secrets/{secret}", 204) is None
            self.call("GET", f"/api/admin/secrets/{secret}", 404)


def ids(secrets: dict[str, int]) -> dict[str, int]:
    return {"openai_secret_id": secrets["openai"], "keboola_secret_id": secrets["keboola"]}
