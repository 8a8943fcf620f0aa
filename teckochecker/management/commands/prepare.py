"""``manage.py prepare``: database, static files and the first user, each only where needed."""

import hashlib
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from teckochecker.ops import readiness
from teckochecker.setup.progress import stage

FIRST_USER = "admin"


class Command(BaseCommand):
    help = "Brings the database and the static files up to date, and creates the first user."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--silent", action="store_true", help="do not show the first user's password")

    def handle(self, **options: Any) -> None:
        with stage("Database"):
            readiness.demand_known_tables()
            call_command("migrate", interactive=False, verbosity=0)
            readiness.demand_keys()
        with stage("Static files") as remarks:
            remarks.append("collected" if collect_static(settings.STATIC_ROOT) else "as before")
        password = create_first_user()
        if password and not options["silent"]:
            self.stdout.write(f"\n  User {FIRST_USER}, password {password} (shown only this once)\n\n")


def collect_static(root: Path) -> bool:
    """Whether anything had changed since the last time."""
    stamp, state = root / ".state", static_state()
    if stamp.is_file() and stamp.read_text() == state:
        return False
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    stamp.write_text(state)
    return True


def static_state() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            state = Path(storage.path(path)).stat()
            digest.update(f"{path} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def create_first_user() -> str | None:
    """The password of the new superuser, or None where there is a superuser already. Raises CommandError."""
    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return None
    if users.filter(username=FIRST_USER).exists():
        raise CommandError(f"User {FIRST_USER} is no superuser, and nobody is. Run manage.py createsuperuser.")
    password = secrets.token_urlsafe(15)
    users.create_superuser(FIRST_USER, password=password)
    return password
