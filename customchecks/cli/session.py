"""What surrounds every command: correct settings, an audit of who acts, and errors that are one line."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

from django.core.checks import ERROR
from django.core.checks.registry import registry
from django.db import DatabaseError

from customchecks.cli.endings import EngineUnavailable, Failed
from customchecks.cli.lookups import account
from customchecks.engine_errors import EngineError
from customchecks.engine_errors import EngineUnavailable as NoEngine
from polling import database
from secrets_app.access import audit
from secrets_app.access.audit import Who

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
        raise EngineUnavailable(str(error)) from error
    except EngineError as error:
        raise Failed(str(error)) from error
    except DatabaseError as error:
        raise Failed(database.explain(error) or f"The database failed: {error}") from error
    finally:
        logging.disable(before)


def _complain() -> None:
    """Of the first setting that is wrong; doctor names them all, and looks at more than settings."""
    ours = [check for check in registry.get_checks() if check.__module__.partition(".")[0] in OURS]
    for message in chain.from_iterable(check(app_configs=None, databases=None) for check in ours):
        if message.level >= ERROR and not message.is_silenced():
            raise Failed(f"{message.msg} {message.hint or ''}".strip())
