"""Encrypts all secrets with the first key of TECKO_KEYS, while everything else runs."""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from secrets_app.crypto import DecryptionFailed, KeyRing, KeyRingError, key_id
from secrets_app.models import KeyFingerprint, Secret


class Command(BaseCommand):
    help = (
        "Encrypts all secrets with the first key of TECKO_KEYS. Stop and repeat it at will: finished ones are left "
        "alone. When it reports nothing on an old key, that key can be removed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--new-secret-key",
            action="store_true",
            help="TECKO_SECRET_KEY was changed on purpose, on every host: let them start with it",
        )
        parser.add_argument("--batch-size", type=int, default=200, help="Secrets read at a time (default: 200)")

    def handle(self, *, batch_size: int, new_secret_key: bool = False, **_: Any) -> None:
        if batch_size < 1:
            raise CommandError("--batch-size is at least 1.")
        try:
            ring = KeyRing.from_settings()
            KeyFingerprint.confirm(ring)
        except KeyRingError as error:
            raise CommandError(str(error)) from None
        if new_secret_key:
            KeyFingerprint.objects.filter(pk=KeyFingerprint.SIGNING).delete()
            KeyFingerprint.confirm_signing(settings.TECKO_SECRET_KEY)
        for batch in _batches(ring.primary, batch_size):
            moved = sum(self._moved(secret, ring) for secret in batch)
            self.stdout.write(f"{moved} of {len(batch)} secrets moved to key {ring.primary}")
        self._report(ring)

    def _moved(self, secret: Secret, ring: KeyRing) -> bool:
        if secret.is_on(ring.primary):
            return False
        try:
            return secret.reencrypt(ring)
        except DecryptionFailed as error:
            self.stderr.write(f"secret {secret.pk} ({secret.name}): {error}")
            return False

    def _report(self, ring: KeyRing) -> None:
        primary = ring.primary
        tokens = Secret.objects.values_list("ciphertext", flat=True)
        remaining = Counter(key_id(token) or "unknown" for token in tokens.iterator())
        for kid, number in sorted(remaining.items()):
            self.stdout.write(f"key {kid}: {number} secrets{' (current)' if kid == primary else ''}")
        KeyFingerprint.forget_unused(ring, used=remaining)
        left = remaining.total() - remaining[primary]
        if left:
            raise CommandError(f"{left} secrets are not on key {primary}. Run this again, and see the errors above.")


def _batches(primary: str, size: int) -> Iterator[list[Secret]]:
    """Walks by primary key, so that a secret that cannot be moved is tried once a run."""
    last = 0
    done = Q(ciphertext__startswith=f"v1:{primary}:", former=[])
    waiting = Secret.objects.exclude(done).order_by("pk")
    while batch := list(waiting.filter(pk__gt=last)[:size]):
        yield batch
        last = batch[-1].pk
