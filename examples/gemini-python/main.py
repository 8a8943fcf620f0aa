#!/usr/bin/env python3
"""Asks the Gemini API about one batch. Needs GEMINI_API_KEY and BATCH_ID ("batches/123" or "123")."""

import json
import os

import requests

URL = os.environ.get("GEMINI_URL", "https://generativelanguage.googleapis.com/v1beta")
RUNNING = ("BATCH_STATE_UNSPECIFIED", "BATCH_STATE_PENDING", "BATCH_STATE_RUNNING")
FAILED = ("BATCH_STATE_FAILED", "BATCH_STATE_CANCELLED", "BATCH_STATE_EXPIRED")


def main() -> None:
    try:
        answer = verdict(fetch(os.environ["GEMINI_API_KEY"], os.environ["BATCH_ID"]))
    except KeyError as missing:
        answer = {"status": "ERROR", "message": f"The variable {missing.args[0]} is not set"}
    except requests.RequestException as error:
        answer = {"status": "ERROR", "message": f"Gemini could not be asked: {error}"}
    print(json.dumps(answer))


def fetch(api_key: str, batch_id: str) -> dict:
    name = batch_id if batch_id.startswith("batches/") else f"batches/{batch_id}"
    response = requests.get(f"{URL}/{name}", headers={"x-goog-api-key": api_key}, timeout=30)
    response.raise_for_status()
    return response.json()


def verdict(operation: dict) -> dict:
    """The API answers with an Operation: the batch's state and counts are its metadata."""
    batch = operation.get("metadata", {})
    state = batch.get("state", "BATCH_STATE_UNSPECIFIED")
    counts = {key: int(count) for key, count in batch.get("batchStats", {}).items()}
    data = {"batch": operation.get("name"), "state": state, "end_time": batch.get("endTime"), **counts}

    if state == "BATCH_STATE_SUCCEEDED":
        return {"status": "SUCCESS", "message": "The batch is complete", "data": data, "progress": 100}
    if state in FAILED:
        error = operation.get("error", {}).get("message", "no reason given")
        return {"status": "FAILED", "message": f"{state}: {error}", "data": data}
    if state in RUNNING:
        return {"status": "PENDING", "message": state, "data": data, "progress": progress(counts)}
    return {"status": "ERROR", "message": f"Unknown state {state}", "data": data}


def progress(counts: dict) -> int:
    total = counts.get("requestCount", 0)
    return 100 * (total - counts.get("pendingRequestCount", total)) // total if total else 0


if __name__ == "__main__":
    main()
