"""What the documentation of the API shows. Tests hold each example against its schema."""

from typing import Any

from customchecks.jobs.declared import JOB as FIELDS
from customchecks.jobs.serializers import SHA256, JobSerializer

COMMIT = "4d1c0f1f0f3c2f6d9b0a6f6a4e8c1b2a3d4e5f60"

CONFIG: dict[str, Any] = FIELDS.example()

JOB: dict[str, Any] = JobSerializer.example

LOG: dict[str, Any] = {
    "id": 31,
    "job_id": 7,
    "check_id": "6f1f2c3a-9a5b-4b8e-8c52-0d7b7f5a1c11",
    "cycle": 1,
    "status": "pending",
    "cause": "",
    "message": "1200 rows so far",
    "script_output": {
        "status": "PENDING",
        "message": "1200 rows so far",
        "data": {"rows": 1200},
        "stdout": '{"status": "PENDING", "message": "1200 rows so far", "data": {"rows": 1200}}\n',
        "stderr": "",
    },
    "execution_time_ms": 412,
    "revision": SHA256,
    "version": 1,
    "source": "",
    "source_note": "",
    "timings": {"source": 3, "sandbox": 398},
    "started_at": "2026-01-31T22:04:10.700000Z",
    "created_at": "2026-01-31T22:04:11.120000Z",
}

VERSION: dict[str, Any] = {
    "version": 1,
    "source": "upload",
    "origin": "",
    "commit": "",
    "sha256": SHA256,
    "size": 512,
    "files": [{"path": "main.py", "size": 310}],
    "notes": [],
    "created_at": "2026-01-31T22:00:00.000000Z",
    "created_by": "ada",
    "pinned": False,
}
