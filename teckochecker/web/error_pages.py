"""Around Django: what fails before or outside of it is JSON too, and text is UTF-8 whatever a request claims."""

import json
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

import structlog

from teckochecker.kit import database_errors

FAILED = "TeckoChecker failed; its log has the details."
logger = structlog.get_logger(__name__)

# Python knows charsets that make no text at all, or surrogates that no database can hold
CHARSET = re.compile(r";\s*charset\s*=\s*(?:\"[^\"]*\"|[^;]*)", re.IGNORECASE)


class LastResort:
    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["CONTENT_TYPE"] = CHARSET.sub("", environ.get("CONTENT_TYPE") or "")
        if not environ.get("PATH_INFO", "").startswith("/"):
            return _answer(start_response, HTTPStatus.BAD_REQUEST, "There is no such path.")
        try:
            return self._application(environ, start_response)
        except Exception as error:  # the last place before the web server's own page
            logger.error("request_failed", path=environ["PATH_INFO"], exc_info=error)
            if trouble := database_errors.trouble(error):
                again = ("Retry-After", str(trouble.seconds))
                return _answer(start_response, HTTPStatus.SERVICE_UNAVAILABLE, trouble.sentence, again)
            return _answer(start_response, HTTPStatus.INTERNAL_SERVER_ERROR, FAILED)


def _answer(start_response: Callable[..., Any], status: HTTPStatus, detail: str, *more: tuple[str, str]) -> list[bytes]:
    body = json.dumps({"detail": detail}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *more]
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]
