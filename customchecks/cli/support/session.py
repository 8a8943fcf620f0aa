"""What surrounds every command: correct settings, an audit of who acts, and errors that are one line."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.checks import ERROR, CheckMessage
from django.core.checks.registry import registry
from django.db import DatabaseError

from customchecks.cli.support import output
from customchecks.cli.support.exit_codes import EngineUnavailable, Failed
from customchecks.cli.support.lookups import account
from customchecks.docker.errors import EngineError
from customchecks.docker.errors import EngineUnavailable as NoEngine
from secrets_app.access import audit
from secrets_app.access.audit import Who
from teckochecker.kit import database_errors

RUNNING_SERVER = "running_server"  # the tag of checks that say how the server is, and not a setting
OURS = ("teckochecker", "customchecks", "polling", "secrets_app")


@contextmanager
def session(*, complain: bool) -> Iterator[None]:
    """Raises an ``Ended``. Meanwhile stderr is for people: what the product logs is left out."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        if complain:
            _complain()
        with audit.acting(lambda: Who(None, "command line", account())):
            yield
    except NoEngine as error:
        raise EngineUnavailable(f"{error} {error.remedy}") from error
    except EngineError as error:
        raise Failed(str(error)) from error
    except DatabaseError as error:
        raise Failed(database_errors.explain(error) or f"The database failed: {error}") from error
    finally:
        logging.disable(before)


def _complain() -> None:
    """Of the first setting that is wrong; doctor names them all, and looks at more than settings."""
    for check in registry.get_checks():
        if check.__module__.partition(".")[0] in OURS:
            for message in check(app_configs=None, databases=None):
                _tell(message, warn=RUNNING_SERVER in check.tags)


def _tell(message: CheckMessage, *, warn: bool) -> None:
    said = f"{message.msg} {message.hint or ''}".strip()
    if message.level >= ERROR and not message.is_silenced():
        raise Failed(said)
    if warn:
        output.warn(said)
