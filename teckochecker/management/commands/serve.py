"""``manage.py serve``: the web server and the cluster under one supervisor; ``script/server`` ends in it."""

import os
import shlex
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, close_old_connections, connections

from customchecks.dependencies import reachability
from customchecks.docker.engine import EngineError
from customchecks.installers import package_managers
from customchecks.sandbox.sandbox import Sandbox
from polling.sweep import sweeper
from teckochecker.ops import checks, demo, readiness
from teckochecker.ops.supervisor import Program, Supervisor
from teckochecker.setup import home, preflight, started
from teckochecker.web import server


class Command(BaseCommand):
    help = "Runs the web server and the cluster until Ctrl-C or SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="also run a webhook receiver and a job for it")

    def handle(self, **options: Any) -> None:
        readiness.demand()
        try:
            with home.server_lock(settings.TECKO_HOME):
                started.record(settings.TECKO_HOME, os.environ)
                self._serve(with_demo=options["demo"])
        except home.AlreadyRunning as error:
            raise CommandError(str(error)) from error

    def _serve(self, *, with_demo: bool) -> None:
        try:
            listener = server.listen()
        except OSError as error:
            raise CommandError(str(preflight.unusable(settings.TECKO_HOST, settings.TECKO_PORT, error))) from error
        with listener:
            self._serve_on(listener, with_demo=with_demo)

    def _serve_on(self, listener: socket.socket, *, with_demo: bool) -> None:
        show = self._prepared_demo() if with_demo else None
        programs = own_programs(show.environ() if show else os.environ.copy(), listener)
        programs += [show.receiver] if show else []
        self.stdout.write(self._greeting())
        for line in exposures():
            self.stdout.write(self.style.ERROR(line))
        threading.Thread(target=self.look_at_indexes, daemon=True).start()  # a resolver may take its time
        connections.close_all()
        Supervisor(programs, report=self._report).run()
        self._report("stopped")

    def _prepared_demo(self) -> demo.Demo:
        show = demo.prepare(settings.BASE_DIR)
        try:
            name = show.create_job()
        except demo.DemoFailed as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Demo job {name}: its webhook arrives below after three checks, in about half a minute.")
        return show

    def _greeting(self) -> str:
        return (
            f"\nTeckoChecker runs at {settings.TECKO_PUBLIC_URL}/admin/\n"
            "  Login   admin, with the password shown at the first start\n"
            f"          (forgotten: {_named_home()}.venv/bin/python manage.py changepassword admin)\n"
            f"  Logs    {settings.TECKO_HOME / 'logs'}\n"
            f"{_about_the_proxy()}"
            "  Stop    Ctrl-C\n"
        )

    def look_at_indexes(self) -> None:
        if found := reachability.obstacle(package_managers.index_hosts()):
            self._report(f"{found.problem} {found.remedy} in {settings.TECKO_HOME / '.env'} and start again.")

    def _report(self, line: str) -> None:
        self.stdout.write(f"teckochecker: {line}")
        self.stdout.flush()


def _named_home() -> str:
    """What a command has to begin with to mean this instance."""
    usual = settings.TECKO_HOME == settings.BASE_DIR / "var"
    return "" if usual else f"TECKO_HOME={shlex.quote(str(settings.TECKO_HOME))} "


def own_programs(environ: dict[str, str], listener: socket.socket) -> list[Program]:
    """The processes of the web server share a socket that outlives them: no call is refused while one starts anew."""
    logs = settings.TECKO_HOME / "logs"
    environ = {**environ, "PROMETHEUS_MULTIPROC_DIR": fresh_metrics(settings.TECKO_HOME / "metrics")}
    fd = listener.fileno()
    web = (sys.executable, "-m", "teckochecker.web.server", "--fd", str(fd))
    cluster = (sys.executable, str(settings.BASE_DIR / "manage.py"), "qcluster")
    return [
        *(
            Program(name=f"web {number}", argv=web, log=logs / "web.log", environ=environ, files=(fd,))
            for number in range(1, server.PROCESSES + 1)
        ),
        Program(name="cluster", argv=cluster, log=logs / "cluster.log", environ=environ, heartbeat=sweep_silence),
    ]


def _about_the_proxy() -> str:
    if not settings.TECKO_PUBLIC_URL.startswith("https://"):
        return ""
    return "  TLS     the proxy in front has to send X-Forwarded-Proto and X-Forwarded-For: docs/operations.md\n"


def exposures() -> Iterator[str]:
    """What keeps no script from this machine's networks. An engine that does not answer runs none."""
    for message in checks.unprotected_network():
        yield message.msg
    sandbox = Sandbox.from_settings()
    try:
        if reason := sandbox.protect():
            remedy = "manage.py customcheck doctor names the remedy."
            yield f"{reason} {'' if settings.TECKO_UNPROTECTED_NETWORK else 'No script runs. '}{remedy}"
    except EngineError:
        return
    finally:
        sandbox.close()


def sweep_silence() -> float | None:
    """A database that does not answer says nothing about the cluster."""
    close_old_connections()
    try:
        return sweeper.heartbeat_age(sweeper.this_host())
    except DatabaseError:
        return 0


def fresh_metrics(folder: Path) -> str:
    """The counters of the processes that we start meet in this folder; those of earlier ones are gone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return str(folder)
