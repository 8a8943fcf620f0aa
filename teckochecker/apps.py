"""The wiring app: settings checks, health, the supervisor."""

from django.apps import AppConfig


class TeckoCheckerConfig(AppConfig):
    name = "teckochecker"
    verbose_name = "TeckoChecker"

    def ready(self) -> None:
        from teckochecker import (
            audit,
            checks,  # noqa: F401  registers the system checks
            roles,
        )

        audit.register()
        roles.keep_in_step()
