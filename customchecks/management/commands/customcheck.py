"""``manage.py customcheck``: everything about jobs on the command line. The commands are in ``customchecks.cli``."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from customchecks.cli import main
from customchecks.cli.app import HELP


class Command(BaseCommand):
    """For ``manage.py help`` and ``call_command``; ``manage.py customcheck`` itself does not wait for Django."""

    help = HELP
    requires_system_checks = ()

    def print_help(self, prog_name: str, subcommand: str) -> None:
        main.run(["--help"], program=f"{prog_name} {subcommand}")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("words", nargs="*")

    def handle(self, *words: str, **_: Any) -> None:
        code = main.run(words, program=f"manage.py {main.COMMAND}")
        if code:
            sys.exit(code)
