"""Structured logs: one JSON object a line, on stderr."""

import logging.config
import sys
from collections.abc import Mapping
from typing import Any

import structlog

from secrets_app.masking import masker
from teckochecker.kit import database_errors


def one_line_for_the_database(logger: object, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """A database that is away is no fault of the code: its traceback, again and again, hides what is."""
    given = event.get("exc_info")
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if database_errors.trouble(error):
        event["database"] = " ".join(str(error).split())[: database_errors.LONGEST_REASON]
        del event["exc_info"]
    return event


_SHARED: list[Any] = [
    one_line_for_the_database,
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
    structlog.processors.UnicodeDecoder(),
]


def configure(given: Mapping[str, Any]) -> None:
    """The ``LOGGING_CONFIG`` of the settings, whose ``LOGGING`` is a level."""
    logging.config.dictConfig(config(level=given["level"]))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def config(*, level: str) -> dict[str, Any]:
    """For ``dictConfig``."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    masker.log_processor,
                    structlog.processors.JSONRenderer(),
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
            "django-q": {"handlers": [], "level": level, "propagate": True},
            "urllib3": {"level": "WARNING"},
            "docker": {"level": "WARNING"},
        },
    }
