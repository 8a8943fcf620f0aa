"""What a use of the Docker Engine may end with: apart from it, so that who catches them does not load its client."""


class EngineError(Exception):
    """The engine refused a call; the message is safe to show."""


class EngineUnavailable(EngineError):
    """The engine did not answer."""
