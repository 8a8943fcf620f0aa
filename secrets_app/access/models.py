"""API tokens. knox makes, hashes and finds them; name, scope and last use are ours."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import OperationalError, models
from django.db.models import Q
from django.utils import timezone
from knox.models import AbstractAuthToken

USUAL_DAYS, LONGEST_DAYS = 90, 366
USE_NOTED_EVERY = timedelta(minutes=1)


class Scope(models.TextChoices):
    """What a token may do at most; its user's role decides what of that."""

    READ = "read", "Read"
    OPERATE = "operate", "Operate"
    ADMIN = "admin", "Everything that the user may"


class ApiToken(AbstractAuthToken):
    """``token_key`` is the beginning of the token, by which people recognise it; the token itself is not stored."""

    id = models.BigAutoField(primary_key=True)
    digest = models.CharField(max_length=128, unique=True, editable=False)
    name = models.CharField(max_length=100, blank=True)
    scope = models.CharField(max_length=10, choices=Scope, default=Scope.OPERATE)
    last_used_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[Any]

    class Meta:
        db_table = "api_tokens"
        ordering = ["id"]
        verbose_name = "API token"

    def __str__(self) -> str:
        return self.name or f"{self.token_key}…"

    @property
    def expired(self) -> bool:
        return self.expiry is not None and self.expiry < timezone.now()

    def note_use(self, now: datetime) -> None:
        """Written once a minute at most, however many processes the token is used with.

        A database that can only be read just now does not keep anybody from reading.
        """
        stale = now - USE_NOTED_EVERY
        if self.last_used_at is None or self.last_used_at <= stale:
            not_noted = Q(last_used_at=None) | Q(last_used_at__lte=stale)
            with suppress(OperationalError):
                ApiToken.objects.filter(not_noted, pk=self.pk).update(last_used_at=now)
