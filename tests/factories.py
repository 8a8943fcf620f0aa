"""What tests are made of: archives, secrets, jobs with their scripts."""

import io
import tarfile
from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from customchecks.archives.script_archive import Archive, normalise
from customchecks.jobs import versions
from customchecks.jobs.models import CustomCheckJob
from secrets_app.models import Secret

CANARY = "canary-7Hq9/Zw+41x"
PRINT_PENDING = 'print(\'{"status": "PENDING", "message": "not yet"}\')\n'


def tgz(files: Mapping[str, str | bytes]) -> bytes:
    """As GNU tar packs it: no header says more than a name and a size."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
        for name, text in files.items():
            content = text.encode() if isinstance(text, str) else text
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def script_of(files: Mapping[str, str | bytes]) -> Archive:
    return normalise(io.BytesIO(tgz(files)))


def make_secret(name: str = "api", value: str = CANARY, *, kind: str = "generic", **columns: Any) -> Secret:
    secret = Secret(name=name, type=kind, **columns)
    secret.set_value(value)
    secret.save()
    return secret


def make_job(name: str = "nightly", *, script: str = PRINT_PENDING, **columns: Any) -> CustomCheckJob:
    """A row as it is, which nothing has looked at, with one version of its script; it is due."""
    given = {"script_source_type": "upload", "script_runtime": "python", "script_entrypoint": "main.py"}
    job: CustomCheckJob = CustomCheckJob.objects.create(
        name=name, **{**given, "next_check_at": timezone.now(), **columns}
    )
    if job.script_source_type == "upload":
        versions.add(job, script_of({"main.py": script}))
    return job
