"""What dependencies cost a check: the same script as the product document has it, cold, cached, and without any.

The document's way makes a virtual environment and fills it in every check. An image without ``ensurepip`` gets pip as a
file beside the script instead, which spares it that step; npm runs with the options that the document meant. Every
check has 0.5 CPU; an installation of ours has 1.0, once. A check begins when the last one's container is gone, as with
checks of one job. All is measured twice: with each container started when its check is due, and with spare ones.

    python -m tests.bench.dependencies [--rounds 15]
"""

import argparse
import ensurepip
import io
import os
import secrets
import statistics
import tempfile
import time
import uuid
from dataclasses import replace
from pathlib import Path

import django
from django.core.management import call_command

from teckochecker.setup import home

_home = tempfile.TemporaryDirectory()
os.environ |= {"TECKO_HOME": _home.name, "DJANGO_SETTINGS_MODULE": "teckochecker.settings", "TECKO_LOG_LEVEL": "ERROR"}
home.ensure(Path(_home.name), os.environ)
django.setup()

# What follows needs the settings
from django.conf import settings  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.utils import timezone  # noqa: E402

from customchecks.archives import script_archive  # noqa: E402
from customchecks.checking.runner import CustomCheckRunner  # noqa: E402
from customchecks.dependencies.models import DependencySet  # noqa: E402
from customchecks.jobs import service  # noqa: E402
from customchecks.jobs.models import CustomCheckJob  # noqa: E402
from polling.jobs.scheduling import Claim  # noqa: E402
from tests.factories import tgz  # noqa: E402
from tests.security import boxes  # noqa: E402

PYTHON = 'print(\'{"status": "PENDING"}\')\n'
NODE = 'console.log(\'{"status": "PENDING"}\')\n'
IMPORTING = {"python": f"import requests\n{PYTHON}", "node": f'require("axios")\n{NODE}'}
SCRIPTS = {"python": ("main.py", PYTHON), "node": ("index.js", NODE)}
MANIFESTS = {
    "python": ("requirements.txt", "requests>=2.{}\n"),
    "node": ("package.json", '{{"dependencies": {{"axios": ">=1.6.0 <2.{}"}}}}'),
}
DOCUMENT = {
    "python": "python3 -m venv --without-pip venv"
    " && python3 pip.whl/pip --python venv/bin/python install --quiet --no-cache-dir -r requirements.txt"
    " && venv/bin/python main.py",
    "node": "npm_config_cache=/tmp/npm npm install --omit=dev --ignore-scripts --no-audit --no-fund --silent"
    " && node index.js",
}


def pip_wheel() -> bytes:
    return next(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl")).read_bytes()


class Bench:
    """Jobs of a database of its own, checked by the product's runner in this process."""

    def __init__(self, *, spares: int) -> None:
        self.user, _ = User.objects.get_or_create(username="bench", is_superuser=True)
        settings.TECKO_SPARE_CONTAINERS = spares
        self.runner = CustomCheckRunner()

    def job(self, runtime: str, files: dict[str, str]) -> CustomCheckJob:
        archive = script_archive.normalise(io.BytesIO(tgz(files)))
        data = {"name": secrets.token_hex(4), "script_source_type": "upload", "script_runtime": runtime}
        return service.create_job(data, archive=archive, user=self.user)

    def check(self, job: CustomCheckJob) -> float:
        """Seconds."""
        now = timezone.now()
        claim = Claim(CustomCheckJob, job.pk, uuid.uuid4(), uuid.uuid4(), None, claimed_at=now, due_at=now)
        fresh = CustomCheckJob.objects.get(pk=job.pk)
        began = time.monotonic()
        result = self.runner.check(fresh, claim)
        seconds = time.monotonic() - began
        assert result.verdict == "PENDING", result
        self.rest()
        return seconds

    def document(self, runtime: str, files: dict[str, str | bytes]) -> float:
        request = boxes.request("", runtime=runtime)
        wanted = replace(request, argv=("sh", "-c", DOCUMENT[runtime]), archive=tgz(files), timeout_seconds=300)
        began = time.monotonic()
        outcome = self.runner._sandbox.run(wanted)
        seconds = time.monotonic() - began
        assert outcome.exit_code == 0, (outcome.stdout, outcome.stderr)
        self.rest()
        return seconds

    def rest(self) -> None:
        """Two checks of a job are ten seconds apart at least: meanwhile the last one's container goes."""
        assert self.runner._sandbox.settle(seconds=10)

    def close(self) -> None:
        sandbox = self.runner._sandbox
        sandbox.dismantle()
        self.runner.close()


def measure(bench: Bench, runtime: str, *, rounds: int) -> None:
    name, script = SCRIPTS[runtime]
    manifest, text = MANIFESTS[runtime]
    plain = bench.job(runtime, {name: script})
    bench.check(plain)
    cold_jobs = [bench.job(runtime, {name: script, manifest: text.format(number)}) for number in range(1, 4)]
    cold = [bench.check(job) for job in cold_jobs]
    cached_job = cold_jobs[0]
    importing_job = bench.job(runtime, {name: IMPORTING[runtime], manifest: text.format(1)})
    cached, without = [], []
    for _ in range(rounds):  # in turns: the machine's load is the same for both
        cached.append(bench.check(cached_job))
        without.append(bench.check(plain))
    importing = [bench.check(importing_job) for _ in range(rounds)]
    files: dict[str, str | bytes] = {name: script, manifest: text.format(1)}
    beside = {"pip.whl": pip_wheel()} if runtime == "python" else {}
    document = [bench.document(runtime, files | beside) for _ in range(3)]
    report({"document": document, "cold": cold, "cached": cached, "none": without, "cached+import": importing})


def report(seconds: dict[str, list[float]]) -> None:
    middle = {what: statistics.median(found) for what, found in seconds.items()}
    print("  seconds of one check (median of n)")
    for what, found in seconds.items():
        print(f"  {what:14} {middle[what]:7.3f}  n={len(found)}  {min(found):.3f} to {max(found):.3f}")
    print(f"  cached / none     {middle['cached'] / middle['none']:.2f}  (at most 1.1 wanted)")
    print(f"  document / cached {middle['document'] / middle['cached']:.1f}  (at least 10 wanted)")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors")
    for spares, way in ((0, "each container is started when its check is due"), (4, "with spare containers")):
        bench = Bench(spares=spares)
        try:
            for runtime in SCRIPTS:
                print(f"{runtime}, {way}:")
                measure(bench, runtime, rounds=options.rounds)
        finally:
            bench.close()
            DependencySet.objects.all().delete()
    _home.cleanup()


if __name__ == "__main__":
    main()
