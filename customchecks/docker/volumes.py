"""Named volumes of one instance on one engine."""

from collections.abc import Callable
from typing import Any

import structlog

from customchecks.docker import hardening
from customchecks.docker.engine import Engine, EngineError, NotFound

logger = structlog.get_logger(__name__)

PURPOSE = "dependencies"


class Volumes:
    """Creates the volumes of one instance, and finds them again. Thread-safe."""

    def __init__(self, engine: Engine, *, instance: str, mounted: Callable[[str], bool] = lambda name: False) -> None:
        """``mounted`` knows without the engine that a container holds a volume, which nobody can remove then."""
        self._engine = engine
        self._mounted = mounted
        self._engine_id = ""
        self.instance = instance

    def engine_id(self) -> str:
        """Names the engine among others. Raises EngineError."""
        if not self._engine_id:
            self._engine_id = str(self._engine.info()["ID"])
        return self._engine_id

    def create(self, name: str) -> None:
        """Raises EngineError."""
        self._engine.create_volume(name, labels=self._labels())

    def there(self, name: str) -> bool:
        """A volume that the engine made by itself, because a container named it, is not ours. Raises EngineError."""
        if self._mounted(name):
            return True
        try:
            found: dict[str, Any] = self._engine.volume(name)
        except NotFound:
            return False
        return self._labels().items() <= (found["Labels"] or {}).items()

    def names(self) -> list[str]:
        """Raises EngineError."""
        return [volume["Name"] for volume in self._engine.volumes(self._labels())]

    def remove(self, name: str) -> bool:
        """False where a container uses it, or the engine fails."""
        try:
            self._engine.remove_volume(name)
        except NotFound:
            return True
        except EngineError as error:
            logger.warning("volume_not_removed", volume=name, reason=str(error))
            return False
        return True

    def remove_all(self) -> None:
        """What cannot be removed is left, and logged."""
        try:
            for name in self.names():
                self.remove(name)
        except EngineError as error:
            logger.warning("volumes_unknown", reason=str(error))

    def _labels(self) -> dict[str, str]:
        return hardening.labels(instance=self.instance, purpose=PURPOSE)
