"""This instance's containers: their labels say whose they are, and until when somebody may want them."""

import secrets
import time
from collections.abc import Collection
from datetime import datetime
from typing import Any

import structlog

from customchecks.docker import hardening
from customchecks.docker.engine import Engine, EngineError
from customchecks.docker.hardening import Spec
from customchecks.sandbox.ranges import TIMEOUT_SECONDS

logger = structlog.get_logger(__name__)

SPARE = "spare"
SLACK_SECONDS = 15  # for a launcher beyond the script's own time: to unpack, to end it, to answer
BEYOND_SECONDS = SLACK_SECONDS + 60  # and for its worker, before anybody else removes the container
LONGEST_SECONDS = TIMEOUT_SECONDS.high + BEYOND_SECONDS


class Containers:
    """Creates the containers of one instance, and finds them again. Thread-safe."""

    def __init__(self, engine: Engine, *, instance: str) -> None:
        self._engine = engine
        self._instance = instance

    def create(self, spec: Spec, *, claim: str, purpose: str, seconds: float) -> str:
        """The new one's id. Nobody wants it after so many seconds. Raises EngineError; NotFound without its image.

        The engine's resolver tells every container where another one is by its name, host name or id: so none of them
        can be guessed. A host name of our own would be one for all, and the engine's are two words of a list.
        """
        deadline = str(int(time.time() + seconds))
        labels = hardening.labels(instance=self._instance, claim=claim, purpose=purpose, deadline=deadline)
        return self._engine.create(
            hardening.container(spec, labels=labels), name=f"teckochecker-{secrets.token_hex(16)}"
        )

    def found(self, *, claim: str = "") -> list[dict[str, Any]]:
        """As the engine lists them; none where it cannot be asked."""
        try:
            return self._engine.containers(hardening.labels(instance=self._instance, claim=claim))
        except EngineError as error:
            logger.warning("containers_unknown", reason=str(error))
            return []

    def orphans(self, live: Collection[str], *, own: Collection[str], now: datetime) -> list[str]:
        """Ids of those that nobody waits for, or whose deadline has passed.

        ``live`` are all claims there are, ``own`` the ids and claims that this process looks after itself: it has
        deadlines that no clock can move. A "test" has no claim and is left until its deadline, and so is another
        process's "spare", which may be in use, or its "rules", while it runs.
        """
        return [item["Id"] for item in self.found() if _is_orphan(item, live, own, now)]


def _is_orphan(container: dict[str, Any], live: Collection[str], own: Collection[str], now: datetime) -> bool:
    labels = container["Labels"]
    claim, purpose = labels.get(hardening.CLAIM), labels.get(hardening.PURPOSE)
    if claim in own or container["Id"] in own:
        return False
    if float(labels.get(hardening.DEADLINE, 0)) < now.timestamp():
        return True
    if purpose in (SPARE, hardening.RULE_CONTAINER):
        return bool(container["State"] != "running")
    return purpose != "test" and claim not in live
