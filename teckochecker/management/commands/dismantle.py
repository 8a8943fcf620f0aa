"""``manage.py dismantle``: takes what an instance has made in the Docker Engine away again."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from customchecks.docker.engine import EngineError
from customchecks.sandbox.sandbox import Sandbox
from teckochecker.setup import home


class Command(BaseCommand):
    help = "Removes this instance's containers, volumes, network and packet rules. TECKO_HOME and the images stay."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="really do it")

    def handle(self, **options: Any) -> None:
        if not options["yes"]:
            raise CommandError(f"Say --yes to dismantle the instance of {settings.TECKO_HOME}.")
        try:
            with home.server_lock(settings.TECKO_HOME):
                _dismantle()
        except home.AlreadyRunning as error:
            raise CommandError(f"{error} Stop it first.") from error
        except EngineError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Nothing but images is left in the engine. The data is in {settings.TECKO_HOME}.")


def _dismantle() -> None:
    sandbox = Sandbox.from_settings()
    try:
        if not sandbox.dismantle():
            raise CommandError("The engine keeps the network: something still uses it.")
    finally:
        sandbox.close()
