import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from rest_framework.test import APIClient

from tests.factories import tgz

CONFIG = {"name": "job", "script_source_type": "upload", "script_runtime": "python", "check_params": {}}
SCRIPT = {"main.py": "print('{}')"}


@pytest.fixture
def operator(db: None) -> User:
    return User.objects.create_superuser("operator", password="a long password")


@pytest.fixture
def client(operator: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(operator)
    return client


@pytest.fixture
def create(client: APIClient) -> Callable[..., HttpResponse]:
    """Posts a job as multipart; ``script`` is bytes, files or None."""

    def post(*, script: bytes | Mapping[str, str] | None = SCRIPT, raw: str | None = None, **config: Any) -> Any:
        body: dict[str, Any] = {"config": raw if raw is not None else json.dumps(CONFIG | config)}
        if script is not None:
            content = script if isinstance(script, bytes) else tgz(script)
            body["script"] = SimpleUploadedFile("script.tgz", content, "application/gzip")
        return client.post("/api/custom-checks", body, format="multipart")

    return post
