"""Values that a secret had before: masked for some days, because services and logs may repeat them; nothing else."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import models
from django.utils import timezone

from secrets_app.crypto import DecryptionFailed, KeyRing, key_id

# Longer than any check, any delivery's attempts, and what a service or a log of yesterday still says of a value
FORMER_DAYS = 7
MOST_FORMER = 5  # each is looked for in every output of a check

logger = structlog.get_logger(__name__)


class FormerValues(models.Model):
    """``former`` are ciphertexts, the newest first, each with the time until which it is kept."""

    uuid: Any
    ciphertext: Any
    former = models.JSONField(default=list, blank=True, editable=False)

    class Meta:
        abstract = True

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **others: Any) -> None:
        """A value that is replaced is stored with the one that replaces it."""
        if update_fields is not None and "ciphertext" in update_fields:
            update_fields = {*update_fields, "former"}
        super().save(*args, update_fields=update_fields, **others)

    def retire_value(self) -> None:
        """The value becomes a former one; the caller sets another."""
        if self._state.adding or not self.ciphertext:
            return
        until = timezone.now() + timedelta(days=FORMER_DAYS)
        retired = {"ciphertext": self.ciphertext, "until": until.isoformat()}
        self.former = [retired, *self.still_former(timezone.now())][:MOST_FORMER]

    def still_former(self, now: datetime) -> list[dict[str, str]]:
        return [each for each in self.former if datetime.fromisoformat(each["until"]) > now]

    def former_values(self) -> list[str]:
        """What cannot be decrypted is left out, so that it stops no check."""
        ring = KeyRing.from_settings() if self.former else None
        values = [self._decrypted(each, ring) for each in self.still_former(timezone.now())] if ring else []
        return [value for value in values if value is not None]

    def former_renewed(self, ring: KeyRing) -> list[dict[str, str]]:
        """Encrypted with the ring's first key."""
        read = [(each, self._decrypted(each, ring)) for each in self.still_former(timezone.now())]
        return [{**each, "ciphertext": ring.encrypt(value, row=self.uuid)} for each, value in read if value is not None]

    def is_on(self, key: str) -> bool:
        """Whether all that is stored is encrypted with this key."""
        return all(key_id(text) == key for text in (self.ciphertext, *(each["ciphertext"] for each in self.former)))

    def _decrypted(self, each: dict[str, str], ring: KeyRing) -> str | None:
        try:
            return ring.decrypt(each["ciphertext"], row=self.uuid)
        except DecryptionFailed:
            logger.warning("former_value_unreadable", secret=str(self.uuid))
            return None


def forget(rows: "models.QuerySet[Any]", now: datetime) -> int:
    """How many values were kept long enough, and are gone now."""
    forgotten = 0
    for secret in rows.exclude(former=[]):
        kept = secret.still_former(now)
        same = rows.filter(pk=secret.pk, ciphertext=secret.ciphertext)
        if len(kept) < len(secret.former) and same.update(former=kept):
            forgotten += len(secret.former) - len(kept)
    return forgotten
