#!/usr/bin/env python3
"""A check that asks an HTTP API. Needs API_KEY and TASK_ID; API_URL says where."""

import json
import os

import requests

URL = os.environ.get("API_URL", "https://api.example.com")
VERDICTS = {"completed": "SUCCESS", "failed": "FAILED", "cancelled": "FAILED"}


def main() -> None:
    try:
        task = fetch(os.environ["TASK_ID"], os.environ["API_KEY"])
        answer = {
            "status": VERDICTS.get(task["status"], "PENDING"),
            "message": f"The task is {task['status']}",
            "data": task,
            "progress": task.get("progress", 0),
        }
    except KeyError as missing:
        answer = {"status": "ERROR", "message": f"{missing.args[0]} is missing"}
    except requests.RequestException as error:
        answer = {"status": "ERROR", "message": f"The API could not be asked: {error}"}
    print(json.dumps(answer))


def fetch(task_id: str, api_key: str) -> dict:
    headers = {"Authorization": f"Bearer {api_key}"}
    response = requests.get(f"{URL}/tasks/{task_id}", headers=headers, timeout=30)
    response.raise_for_status()
    return response.json()


if __name__ == "__main__":
    main()
