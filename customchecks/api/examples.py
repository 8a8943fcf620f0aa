"""What the documentation of the API shows. Tests hold each example against its schema."""

from typing import Any

SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
COMMIT = "4d1c0f1f0f3c2f6d9b0a6f6a4e8c1b2a3d4e5f60"

CONFIG: dict[str, Any] = {
    "name": "nightly export",
    "tags": ["exports"],
    "script_source_type": "upload",
    "script_runtime": "python",
    "script_entrypoint": "main.py",
    "check_params": {"export_id": 42},
    "env_vars": {"API_KEY": "secret_ref:exports"},
    "timeout_seconds": 60,
    "poll_interval_seconds": 120,
    "deadline_seconds": 86400,
    "webhook_url": "https://hooks.example.com/exports",
    "webhook_headers": {"Authorization": "Bearer secret_ref:hook"},
}

JOB: dict[str, Any] = {
    "id": 7,
    "script_git_url": None,
    "script_git_branch": "main",
    "script_git_commit": None,
    "script_git_path": None,
    "script_git_token": None,
    "script_source_policy": "last_good",
    "resource_limits": None,
    "allow_source_builds": False,
    "webhook_method": "POST",
    "webhook_query_params": None,
    "webhook_signing_secrets": [],
    "max_checks": 10_000,
    "max_consecutive_errors": 10,
    "alert_after_errors": None,
    "alert_url": None,
    **CONFIG,
    "status": "active",
    "failure_cause": "",
    "cycle": 1,
    "check_count": 3,
    "consecutive_errors": 0,
    "last_check_status": "PENDING",
    "last_check_data": {"rows": 1200},
    "last_check_at": "2026-01-31T22:04:11.120000Z",
    "next_check_at": "2026-01-31T22:06:11.120000Z",
    "next_check_in": None,
    "deadline_at": "2026-02-01T22:00:00.500000Z",
    "alerting": False,
    "progress": 40.0,
    "script_file_path": f"{SHA256}.tgz",
    "script_sha256": SHA256,
    "script_version_pin": None,
    "created_at": "2026-01-31T22:00:00.000000Z",
    "completed_at": None,
}

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
