"""What doctor and health are told of the sandbox: the engine, its images, its network."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from customchecks.docker.engine import Engine, EngineError
from customchecks.images.current import RememberedImages
from customchecks.network.bridge import EgressNetwork, NetworkStatus
from polling.jobs.runners import Condition, Fault


@dataclass(frozen=True, kw_only=True)
class EngineStatus:
    """The engine as doctor shows it. ``images`` maps each runtime's word to an image id, "" where it has to be built.

    ``message`` says why not reachable, and ``remedy`` what to do about it.
    """

    reachable: bool
    message: str = ""
    remedy: str = ""
    version: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    network: NetworkStatus | None = None
    security_options: tuple[str, ...] = ()


def status(engine: Engine, images: RememberedImages, network: EgressNetwork) -> EngineStatus:
    """Sets nothing."""
    try:
        info = engine.info()
        return EngineStatus(
            reachable=True,
            version=info["ServerVersion"],
            images=images.by_word(),
            network=network.status(),
            security_options=tuple(info.get("SecurityOptions") or ()),
        )
    except EngineError as error:
        return EngineStatus(reachable=False, message=str(error), remedy=error.remedy)


def condition(engine: Engine, images: RememberedImages, network: EgressNetwork) -> Condition:
    """As health shows it: the rules as they were found when they were last looked at."""
    try:
        places = (Path(engine.info()["DockerRootDir"]),)
        faults = [] if images.any() else [Fault("engine", "No runner image is built.")]
    except EngineError:
        return Condition(faults=(Fault("engine", "The Docker Engine does not answer."),))
    if network.complaint:
        optional = network.unprotected_allowed
        message = "The packet rules of the network do not hold" + (
            ": scripts run without them, as the operator wants." if optional else ": no script runs without them."
        )
        faults.append(Fault("rules", message, checks_run=optional))
    return Condition(faults=tuple(faults), places=places)
