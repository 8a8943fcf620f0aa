"""The application's own log says nothing that a check's secrets are in."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from secrets_app.masking import masker
from secrets_app.masking.masker import MASK, Masker, log_processor
from tests.factories import CANARY


@pytest.fixture
def active() -> Iterator[None]:
    with masker.applied(Masker([CANARY])):
        yield


def processed(**event: Any) -> dict[str, Any]:
    return dict(log_processor(None, "info", event))


def test_without_a_masker_an_event_passes_as_it_is() -> None:
    event = {"event": CANARY, "list": [object()]}
    assert log_processor(None, "info", event) is event
    assert event["event"] == CANARY


@pytest.mark.usefixtures("active")
class TestActive:
    def test_texts_are_masked_at_every_depth(self) -> None:
        event = processed(event=f"sent {CANARY}", headers={"Authorization": f"Bearer {CANARY}"}, parts=[{"a": CANARY}])
        assert event == {
            "event": f"sent {MASK}",
            "headers": {"Authorization": f"Bearer {MASK}"},
            "parts": [{"a": MASK}],
        }

    def test_the_text_of_an_exception_is_masked(self) -> None:
        assert CANARY not in processed(event="x", exception=f"Traceback\nValueError: {CANARY}")["exception"]

    @pytest.mark.parametrize("value", [ValueError(CANARY), CANARY.encode(), {CANARY}, (1, CANARY), Path(CANARY)])
    def test_other_objects_that_would_show_a_secret_are_masked(self, value: Any) -> None:
        assert CANARY not in repr(processed(event="x", value=value))

    def test_other_objects_stay(self) -> None:
        error = ValueError("x")
        assert processed(event="x", value=error)["value"] is error

    def test_another_thread_has_a_masker_of_its_own(self) -> None:
        seen: list[str] = []
        thread = threading.Thread(target=lambda: seen.append(processed(event=CANARY)["event"]))
        thread.start()
        thread.join()
        assert seen == [CANARY]

    @pytest.mark.parametrize("through_structlog", [True, False], ids=["structlog", "logging"])
    def test_a_rendered_line_with_a_traceback_holds_no_secret(self, through_structlog: bool) -> None:
        line = io.StringIO()
        log = logger_to(line, through_structlog=through_structlog)
        try:
            raise ValueError(CANARY)
        except ValueError:
            log.exception(f"failed for {CANARY}")
        written = json.loads(line.getvalue())
        assert written["event"] == f"failed for {MASK}"
        assert f"ValueError: {MASK}" in written["exception"]
        assert CANARY not in line.getvalue()


def logger_to(stream: io.StringIO, *, through_structlog: bool) -> Any:
    """A logger with the processor where it belongs: after everything, before the renderer."""
    plain = logging.Logger("test")
    handler = logging.StreamHandler(stream)
    last = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        log_processor,
        structlog.processors.JSONRenderer(),
    ]
    shared: list[Any] = [structlog.stdlib.add_logger_name, structlog.processors.format_exc_info]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=last, foreign_pre_chain=shared))
    plain.addHandler(handler)
    if not through_structlog:
        return plain
    wrap = structlog.stdlib.ProcessorFormatter.wrap_for_formatter
    return structlog.wrap_logger(plain, processors=[*shared, wrap], wrapper_class=structlog.stdlib.BoundLogger)
