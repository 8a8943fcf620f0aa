"""A database knows which key an id means: a host with another one is refused before it writes anything."""

import io
from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from secrets_app.crypto import KeyRing, KeyRingError
from secrets_app.models import KeyFingerprint, Secret
from secrets_app.references import KeysWrong, grant, resolve
from tests.factories import CANARY
from tests.secrets_app.conftest import key_setting

pytestmark = pytest.mark.django_db
MakeSecret = Callable[..., Secret]
FIRST, OTHER, NEW = key_setting("k1"), key_setting("k1"), key_setting("k2")


def confirm(settings: Settings, *keys: str) -> None:
    settings.TECKO_KEYS = list(keys)
    KeyFingerprint.confirm(KeyRing.from_settings())


def rotate(*words: str) -> None:
    call_command("rotate_keys", *words, stdout=io.StringIO())


def test_another_key_under_a_known_id_is_refused_with_the_remedy(settings: Settings) -> None:
    confirm(settings, FIRST)
    with pytest.raises(KeyRingError, match=r"'k1'.*gets TECKO_KEYS and TECKO_SECRET_KEY from the first one's .env"):
        confirm(settings, OTHER)
    confirm(settings, NEW, FIRST)


def test_no_secret_is_stored_with_a_key_that_the_database_does_not_know(
    make_secret: MakeSecret, settings: Settings
) -> None:
    settings.TECKO_KEYS = [FIRST]
    make_secret()
    settings.TECKO_KEYS = [OTHER]
    with pytest.raises(KeyRingError, match="'k1'"):
        make_secret("second")
    assert Secret.objects.count() == 1


def test_a_database_from_before_there_were_fingerprints_is_asked_by_its_secrets(
    make_secret: MakeSecret, settings: Settings
) -> None:
    settings.TECKO_KEYS = [FIRST]
    make_secret()
    KeyFingerprint.objects.all().delete()
    with pytest.raises(KeyRingError, match="'k1'"):
        confirm(settings, OTHER)
    confirm(settings, FIRST)
    assert KeyFingerprint.objects.filter(name="k1").exists()


def test_a_check_says_that_the_hosts_keys_are_wrong_and_not_that_a_text_was_changed(
    make_secret: MakeSecret, settings: Settings
) -> None:
    settings.TECKO_KEYS = [FIRST]
    grant([make_secret("api")], job_kind="custom", job_id=1, user=None)
    settings.TECKO_KEYS = [OTHER]
    with pytest.raises(KeysWrong, match="The key 'k1' of TECKO_KEYS is not the one"):
        resolve({"A": "secret_ref:api"}, job_kind="custom", job_id=1, check_id=Secret.objects.get().uuid)


def test_after_a_rotation_the_id_of_the_key_that_is_gone_can_be_given_anew(
    make_secret: MakeSecret, settings: Settings
) -> None:
    settings.TECKO_KEYS = [FIRST]
    secret = make_secret()
    settings.TECKO_KEYS = [NEW, FIRST]
    rotate()
    settings.TECKO_KEYS = [NEW]
    rotate()
    settings.TECKO_KEYS = [OTHER, NEW]
    rotate()
    secret.refresh_from_db()
    assert (secret.key_id, secret.value()) == ("k1", CANARY)


def test_a_key_that_secrets_still_need_keeps_its_id(make_secret: MakeSecret, settings: Settings) -> None:
    settings.TECKO_KEYS = [FIRST]
    make_secret()
    settings.TECKO_KEYS = [NEW]
    with pytest.raises(CommandError, match="1 secrets are not on key k2"):
        rotate()
    with pytest.raises(KeyRingError, match="'k1'"):
        confirm(settings, OTHER)


def test_another_signing_key_is_refused_until_it_is_said_to_be_new(settings: Settings) -> None:
    KeyFingerprint.confirm_signing(settings.TECKO_SECRET_KEY)
    settings.TECKO_SECRET_KEY = "another " * 8
    with pytest.raises(KeyRingError, match="rotate_keys --new-secret-key"):
        KeyFingerprint.confirm_signing(settings.TECKO_SECRET_KEY)
    rotate("--new-secret-key")
    KeyFingerprint.confirm_signing(settings.TECKO_SECRET_KEY)
