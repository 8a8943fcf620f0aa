"""Secrets, which jobs may use them, and which checks did."""

import uuid
from collections.abc import Collection
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from secrets_app.crypto import DecryptionFailed, KeyRing, KeyRingError, fingerprint, key_id
from secrets_app.masking.encodings import SHORTEST
from secrets_app.previous_values import FormerValues

LONGEST_BYTES = 64 * 1024


def validate_name(name: str) -> None:
    if not name.isprintable() or name != name.strip():
        raise ValidationError("Use printable characters, and no space at the ends.", "name")
    if name.isdecimal():
        raise ValidationError("A name of digits only would be taken for the number of a secret.", "name")


def validate_value(value: str) -> None:
    """A value that a script can get and that a text can be searched for. No message shows it."""
    if len(value) < SHORTEST:
        raise ValidationError(
            f"A secret has at least {SHORTEST} characters: a shorter one cannot be masked in outputs and logs.",
            "too_short",
        )
    if without_newline(value) != value:
        raise ValidationError(
            "The value ends with a newline, which a key does not have and a receiver would refuse: leave it out.",
            "newline",
        )
    if "\0" in value:
        raise ValidationError("A secret cannot hold a NUL character: no environment variable can.", "nul")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValidationError("The value is no valid Unicode text.", "unicode")
    if len(value.encode()) > LONGEST_BYTES:
        raise ValidationError(f"A secret has at most {LONGEST_BYTES // 1024} kB.", "too_long")


def taken(name: str) -> str:
    return f"There is a secret named {name!r} already: give that one a new value, or choose another name."


def without_newline(text: str) -> str:
    """What a file or stdin holds, as a value: a newline at the end of one line is the editor's. Several lines, such as
    a PEM key, keep theirs."""
    line = text.rstrip("\r\n")
    return text if "\n" in line or "\r" in line else line


class SecretQuerySet(models.QuerySet["Secret"]):
    def usable_by(self, user: User | AnonymousUser) -> Self:
        """Superusers use every secret; others what names them, or names nobody if they have the permission."""
        if not user.is_active:
            return self.none()
        if user.is_superuser:
            return self.all()
        usable = models.Q(allowed_users=user.pk)
        if user.has_perm("secrets_app.use_secret"):
            usable |= models.Q(allowed_users=None)
        return self.filter(usable)


class Secret(FormerValues):
    """A value that only scripts and deliveries read. ``uuid`` binds the ciphertext to its row."""

    class Type(models.TextChoices):
        OPENAI = "openai", "OpenAI"
        KEBOOLA = "keboola", "Keboola"
        GENERIC = "generic", "Generic"

    id = models.BigAutoField(primary_key=True)
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(
        max_length=255,
        unique=True,
        validators=[validate_name],
        help_text="Jobs refer to it as secret_ref:NAME (letters, digits, inner . _ -) or secret_ref:NUMBER.",
    )
    type = models.CharField(max_length=20, choices=Type, default=Type.GENERIC)
    ciphertext = models.TextField(editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="secrets_created",
    )
    allowed_users = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        blank=True,
        related_name="secrets_allowed",
        help_text="Only these may use it in jobs. Empty: everyone who has the permission to use secrets.",
    )

    objects = SecretQuerySet.as_manager()

    class Meta:
        db_table = "secrets"
        ordering = ["name"]
        permissions = [("use_secret", "Can use secrets in jobs")]

    def __str__(self) -> str:
        return self.name

    def unique_error_message(self, model_class: Any, unique_check: Any) -> ValidationError:
        return ValidationError(taken(self.name), code="unique")

    def set_value(self, value: str) -> None:
        """Encrypts with the first key; the caller saves. Raises ValidationError, KeyRingError."""
        validate_value(value)
        ring = KeyRing.from_settings()
        KeyFingerprint.confirm(ring)
        self.retire_value()
        self.ciphertext = ring.encrypt(value, row=self.uuid)

    def value(self) -> str:
        """Raises DecryptionFailed; where it is the key that is wrong, or gone, KeyRingError."""
        ring = KeyRing.from_settings()
        try:
            return ring.decrypt(self.ciphertext, row=self.uuid)
        except DecryptionFailed:
            KeyFingerprint.confirm(ring)
            raise

    def reencrypt(self, ring: KeyRing) -> bool:
        """Moves the stored text to the ring's first key. False where somebody changed it meanwhile.

        Raises DecryptionFailed.
        """
        renewed = ring.encrypt(ring.decrypt(self.ciphertext, row=self.uuid), row=self.uuid)
        same = Secret.objects.filter(pk=self.pk, ciphertext=self.ciphertext)
        return same.update(ciphertext=renewed, former=self.former_renewed(ring)) == 1

    @property
    def key_id(self) -> str:
        return key_id(self.ciphertext)

    def may_serve(self, grant: "SecretGrant") -> bool:
        """A secret that names users serves only what one of them, or a superuser, gave it to and may still use it."""
        allowed = {user.pk for user in self.allowed_users.all()}
        giver = grant.granted_by
        if not allowed:
            return True
        return giver is not None and giver.is_active and (giver.is_superuser or giver.pk in allowed)


class KeyFingerprint(models.Model):
    """Which key an id means in this database, as written by the first process that used it.

    Hosts that share a database must agree: what one of them has encrypted the others have to read.
    """

    SIGNING = "signing key"  # no key id can be the same: it has a space

    name = models.CharField(primary_key=True, max_length=40, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "key_fingerprints"

    def __str__(self) -> str:
        return self.name

    @classmethod
    def confirm(cls, ring: KeyRing) -> None:
        """Raises KeyRingError where the database knows another key by the id of one of these."""
        known = dict(cls.objects.values_list("name", "digest"))
        for kid, key in ring.keys.items():
            wrong = known[kid] != fingerprint(key) if kid in known else not _reads(ring, kid)
            if not wrong and kid not in known:
                wrong = cls._other(kid, key)
            if wrong:
                raise KeyRingError(
                    f"The key {kid!r} of TECKO_KEYS is not the one that this database knows by that id. A further host "
                    "gets TECKO_KEYS and TECKO_SECRET_KEY from the first one's .env. A new key needs an id of its own."
                )

    @classmethod
    def confirm_signing(cls, secret_key: str) -> None:
        """Raises KeyRingError: hosts with different ones drop each other's tasks and log each other's users out."""
        if cls._other(cls.SIGNING, secret_key.encode()):
            raise KeyRingError(
                "TECKO_SECRET_KEY is not the one that the hosts of this database use. Copy it from the first one's "
                ".env. Where it was changed on purpose, on all of them: manage.py rotate_keys --new-secret-key."
            )

    @classmethod
    def _other(cls, name: str, key: bytes) -> bool:
        row, _ = cls.objects.get_or_create(name=name, defaults={"digest": fingerprint(key)})
        return row.digest != fingerprint(key)

    @classmethod
    def forget_unused(cls, ring: KeyRing, *, used: Collection[str]) -> None:
        """Ids of keys that are gone from the ring and that no secret needs can be given anew."""
        cls.objects.exclude(name__in=[*ring.keys, *used, cls.SIGNING]).delete()


def _reads(ring: KeyRing, kid: str) -> bool:
    """Whether its key reads what was encrypted before there were fingerprints."""
    secret = Secret.objects.filter(ciphertext__startswith=f"v1:{kid}:").first()
    try:
        return secret is None or bool(ring.decrypt(secret.ciphertext, row=secret.uuid))
    except DecryptionFailed:
        return False


class SecretGrant(models.Model):
    """One job may use one secret. Deleting the grant takes the secret from the job."""

    secret = models.ForeignKey(Secret, on_delete=models.PROTECT, related_name="grants")
    job_kind = models.CharField(max_length=50)
    job_id = models.BigIntegerField()
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "secret_grants"
        ordering = ["job_kind", "job_id", "secret_id"]
        constraints = [
            models.UniqueConstraint(fields=["secret", "job_kind", "job_id"], name="secret_grant_once"),
        ]
        indexes = [models.Index(fields=["job_kind", "job_id"], name="secret_grant_job")]

    def __str__(self) -> str:
        return f"{self.secret} for {self.job_kind} {self.job_id}"


class SecretUse(models.Model):
    """One check was given one secret. The name stays when the secret is deleted."""

    secret = models.ForeignKey(Secret, on_delete=models.SET_NULL, null=True, blank=True, related_name="uses")
    secret_name = models.CharField(max_length=255)
    job_kind = models.CharField(max_length=50)
    job_id = models.BigIntegerField()
    check_id = models.UUIDField()
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        db_table = "secret_uses"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["check_id", "secret_name"], name="secret_use_once"),
        ]
        indexes = [models.Index(fields=["job_kind", "job_id"], name="secret_use_job")]

    def __str__(self) -> str:
        return f"{self.secret_name} in {self.job_kind} {self.job_id}"
