"""The wiring app: settings checks, health, the supervisor."""

from django.apps import AppConfig


class TeckoCheckerConfig(AppConfig):
    name = "teckochecker"
    verbose_name = "TeckoChecker"

    def ready(self) -> None:
        from teckochecker import checks  # noqa: F401, PLC0415  registers the system checks
