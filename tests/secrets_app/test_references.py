"""References to secrets: their grammar, who may make them, and what a check gets for them."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from secrets_app.masking.masker import MASK
from secrets_app.models import Secret, SecretGrant, SecretUse
from secrets_app.references import (
    InvalidReferences,
    ReferenceError_,
    SecretMissing,
    find,
    grant,
    resolve,
    validate,
)
from tests.factories import CANARY

MakeSecret = Callable[..., Secret]
MakeUser = Callable[..., User]
CHECK = uuid4()


def resolved(values: dict[str, str], *, job_id: int = 1, check_id: UUID = CHECK) -> dict[str, str]:
    return resolve(values, job_kind="custom", job_id=job_id, check_id=check_id).values


@pytest.fixture
def user(make_user: MakeUser) -> User:
    return make_user("user", "use_secret")


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        ("", []),
        ("no reference, SECRET_REF:5", []),
        ("secret_ref:5", ["5"]),
        ("secret_ref:name", ["name"]),
        ("Bearer secret_ref:5", ["5"]),
        ("Bearer secret_ref:my-key.v2_b", ["my-key.v2_b"]),
        ("secret_ref:5\n", ["5"]),
        ("user:secret_ref:5@host", ["5"]),
        ("secret_ref:1:secret_ref:2", ["1", "2"]),
        ("secret_ref:1,secret_ref:two", ["1", "two"]),
        ('{"key": "secret_ref:5"}', ["5"]),
        ("a=secret_ref:1; b=secret_ref:2;", ["1", "2"]),
        ("?a=secret_ref:1&b=2", ["1"]),
        ("Use secret_ref:key.", ["key"]),
        ("secret_ref:1e3", ["1e3"]),
    ],
)
def test_references_are_found_anywhere_in_a_value(value: str, tokens: list[str]) -> None:
    assert [reference.token for reference in find(value)] == tokens


@pytest.mark.parametrize(
    "rest",
    [
        "",
        " 1",
        "-1",
        "+1",
        "1;2",
        "²",
        "1²",
        "key²",
        "a.b²",
        "٣",
        "0",
        "007",
        "9" * 19,
        "/1",
        ":1",
        "{id}",
        "1=2",
        "käse",
    ],
)
def test_a_malformed_reference_is_refused_without_being_shown(rest: str) -> None:
    with pytest.raises(ReferenceError_) as caught:
        find(f"secret_ref:{rest}")
    assert str(caught.value) == "After secret_ref: comes the number or the name of a secret, as in secret_ref:5."


def test_a_value_refers_to_secrets_twenty_times_at_most() -> None:
    assert len(find("secret_ref:a " * 20)) == 20
    with pytest.raises(ReferenceError_, match="at most 20 times"):
        find("secret_ref:a " * 21)


@given(st.text(st.sampled_from("secret_ref:5a.-; ²\n"), max_size=60))
def test_a_reference_is_the_text_that_it_says(value: str) -> None:
    try:
        references = find(value)
    except ReferenceError_:
        return
    assert [value[each.start : each.end] for each in references] == [f"secret_ref:{e.token}" for e in references]
    assert len(references) == value.count("secret_ref:")


@pytest.mark.django_db
class TestValidate:
    def test_a_value_with_too_many_references_is_named_by_its_key(self, make_secret: MakeSecret, user: User) -> None:
        make_secret()
        with pytest.raises(InvalidReferences) as caught:
            validate({"A": "secret_ref:api", "B": "secret_ref:api " * 21}, user=user)
        assert caught.value.errors == {"B": "A value refers to secrets at most 20 times."}

    def test_a_secret_is_named_by_its_number_or_its_name_and_listed_once(
        self, make_secret: MakeSecret, user: User
    ) -> None:
        first, second = make_secret("first"), make_secret("second")
        values = {"A": f"secret_ref:{first.pk}", "B": "Bearer secret_ref:second, secret_ref:first", "C": "plain"}
        assert validate(values, user=user) == [first, second]

    @pytest.mark.parametrize("rest", ["999999", "1e3", " 1", "-1", "1;2", "²", "nobody"])
    def test_what_is_no_secret_is_refused_for_its_key(self, rest: str, make_secret: MakeSecret, user: User) -> None:
        make_secret()
        with pytest.raises(InvalidReferences) as caught:
            validate({"OK": "secret_ref:api", "KEY": f"secret_ref:{rest}"}, user=user)
        assert set(caught.value.errors) == {"KEY"}

    def test_the_secret_of_somebody_else_is_refused_like_one_that_does_not_exist(
        self, make_secret: MakeSecret, make_user: MakeUser, user: User
    ) -> None:
        make_secret("theirs").allowed_users.add(make_user("owner"))
        with pytest.raises(InvalidReferences) as caught:
            validate({"A": "secret_ref:theirs", "B": "secret_ref:absent"}, user=user)
        assert caught.value.errors["A"].replace("theirs", "absent") == caught.value.errors["B"]

    def test_a_secret_of_somebody_else_is_refused_by_its_number(
        self, make_secret: MakeSecret, make_user: MakeUser
    ) -> None:
        secret = make_secret()
        with pytest.raises(InvalidReferences):
            validate({"A": f"secret_ref:{secret.pk}"}, user=make_user("without"))

    def test_values_without_references_ask_nothing_of_the_database(self, user: User) -> None:
        with CaptureQueriesContext(connection) as queries:
            assert validate({"A": "plain"}, user=user) == []
        assert len(queries) == 0


@pytest.mark.django_db
class TestGrant:
    def test_a_job_has_exactly_the_grants_of_its_last_save(self, make_secret: MakeSecret, user: User) -> None:
        first, second, third = (make_secret(name) for name in ("first", "second", "third"))
        grant([first, second], job_kind="custom", job_id=1, user=user)
        grant([second, third, third], job_kind="custom", job_id=1, user=user)
        assert set(SecretGrant.objects.values_list("secret__name", flat=True)) == {"second", "third"}

    def test_the_grants_of_other_jobs_stay(self, make_secret: MakeSecret, user: User) -> None:
        secret = make_secret()
        for kind, job_id in (("custom", 1), ("custom", 2), ("openai", 1)):
            grant([secret], job_kind=kind, job_id=job_id, user=user)
        grant([], job_kind="custom", job_id=1, user=user)
        assert set(SecretGrant.objects.values_list("job_kind", "job_id")) == {("custom", 2), ("openai", 1)}

    def test_who_saves_the_job_again_answers_for_its_grants(
        self, make_secret: MakeSecret, make_user: MakeUser, user: User
    ) -> None:
        secret = make_secret()
        grant([secret], job_kind="custom", job_id=1, user=make_user("first"))
        grant([secret], job_kind="custom", job_id=1, user=user)
        assert SecretGrant.objects.get().granted_by == user


@pytest.mark.django_db
class TestResolve:
    @pytest.fixture
    def secret(self, make_secret: MakeSecret, user: User) -> Secret:
        secret = make_secret()
        grant([secret], job_kind="custom", job_id=1, user=user)
        return secret

    def test_references_are_replaced_in_place(self, secret: Secret) -> None:
        values = {"A": "secret_ref:api", "B": f"Bearer secret_ref:{secret.pk}; x=1", "C": "plain"}
        assert resolved(values) == {"A": CANARY, "B": f"Bearer {CANARY}; x=1", "C": "plain"}

    def test_the_value_of_a_secret_is_not_searched_for_references(self, make_secret: MakeSecret, user: User) -> None:
        grant([make_secret(value="secret_ref:999999")], job_kind="custom", job_id=1, user=user)
        assert resolved({"A": "secret_ref:api"}) == {"A": "secret_ref:999999"}

    def test_the_masker_knows_the_secrets_that_were_given(self, secret: Secret) -> None:
        given = resolve({"A": "secret_ref:api"}, job_kind="custom", job_id=1, check_id=CHECK)
        assert given.masker.text(f"key={CANARY}") == f"key={MASK}"

    def test_the_answer_shows_no_value(self, secret: Secret) -> None:
        given = resolve({"A": "secret_ref:api"}, job_kind="custom", job_id=1, check_id=CHECK)
        assert CANARY not in repr(given) + repr(given.masker)

    def test_a_secret_that_another_job_was_granted_is_missing(self, secret: Secret) -> None:
        with pytest.raises(SecretMissing, match="'api'"):
            resolved({"A": "secret_ref:api"}, job_id=2)

    def test_a_revoked_grant_takes_the_secret_from_the_job(self, secret: Secret) -> None:
        SecretGrant.objects.all().delete()
        with pytest.raises(SecretMissing):
            resolved({"A": "secret_ref:api"})

    def test_a_secret_that_was_deleted_is_missing(self, secret: Secret) -> None:
        SecretGrant.objects.all().delete()
        secret.delete()
        with pytest.raises(SecretMissing, match="no secret"):
            resolved({"A": f"secret_ref:{secret.pk}"})

    def test_a_user_who_was_left_out_takes_the_secret_from_the_jobs_they_saved(
        self, secret: Secret, make_user: MakeUser
    ) -> None:
        secret.allowed_users.set([make_user("another")])
        with pytest.raises(SecretMissing):
            resolved({"A": "secret_ref:api"})

    def test_a_restricted_secret_does_not_come_back_when_its_giver_is_deleted(
        self, secret: Secret, user: User, make_user: MakeUser
    ) -> None:
        secret.allowed_users.set([make_user("another")])
        user.delete()
        with pytest.raises(SecretMissing):
            resolved({"A": "secret_ref:api"})

    @pytest.mark.parametrize("superuser", [True, False])
    def test_a_restricted_secret_serves_no_job_of_a_closed_account(
        self, secret: Secret, user: User, superuser: bool
    ) -> None:
        secret.allowed_users.set([user])
        User.objects.filter(pk=user.pk).update(is_active=False, is_superuser=superuser)
        with pytest.raises(SecretMissing):
            resolved({"A": "secret_ref:api"})

    def test_a_superuser_who_gave_a_restricted_secret_need_not_be_named(
        self, secret: Secret, user: User, make_user: MakeUser
    ) -> None:
        secret.allowed_users.set([make_user("another")])
        User.objects.filter(pk=user.pk).update(is_superuser=True)
        assert resolved({"A": "secret_ref:api"}) == {"A": CANARY}

    def test_a_secret_that_names_nobody_serves_on_when_its_giver_is_deleted(self, secret: Secret, user: User) -> None:
        user.delete()
        assert resolved({"A": "secret_ref:api"}) == {"A": CANARY}

    def test_a_user_who_is_named_keeps_the_secret(self, secret: Secret, user: User) -> None:
        secret.allowed_users.set([user])
        assert resolved({"A": "secret_ref:api"}) == {"A": CANARY}

    def test_a_secret_that_cannot_be_decrypted_is_missing_and_says_so(
        self, secret: Secret, make_secret: MakeSecret
    ) -> None:
        Secret.objects.filter(pk=secret.pk).update(ciphertext=make_secret("other").ciphertext)
        with pytest.raises(SecretMissing, match="cannot be decrypted"):
            resolved({"A": "secret_ref:api"})

    def test_a_malformed_reference_is_missing(self) -> None:
        with pytest.raises(SecretMissing, match="secret_ref:5"):
            resolved({"A": "secret_ref:"})

    def test_a_new_value_is_used_from_the_next_check_on(self, secret: Secret) -> None:
        secret.set_value("another value")
        secret.save()
        assert resolved({"A": "secret_ref:api"}) == {"A": "another value"}

    def test_every_check_writes_one_line_for_each_secret(
        self, secret: Secret, make_secret: MakeSecret, user: User
    ) -> None:
        grant([secret, make_secret("second")], job_kind="custom", job_id=1, user=user)
        for _ in range(3):
            resolved({"A": "secret_ref:api secret_ref:api", "B": "secret_ref:second"}, check_id=uuid4())
        assert SecretUse.objects.count() == 6

    def test_a_second_look_within_a_check_is_the_same_use(self, secret: Secret) -> None:
        resolved({"A": "secret_ref:api"})
        resolved({"H": "Bearer secret_ref:api"})
        assert list(SecretUse.objects.values_list("secret_name", "job_id", "check_id")) == [("api", 1, CHECK)]

    def test_a_check_that_cannot_get_all_its_secrets_uses_none(self, secret: Secret) -> None:
        with pytest.raises(SecretMissing):
            resolved({"A": "secret_ref:api", "B": "secret_ref:absent"})
        assert not SecretUse.objects.exists()

    def test_the_text_between_references_can_be_changed_and_is_not_searched_again(self, secret: Secret) -> None:
        given = resolve(
            {"A": "x secret_ref:api y", "B": "z"},
            job_kind="custom",
            job_id=1,
            check_id=CHECK,
            literal=lambda text: text.replace("x", "secret_ref:other ").replace("z", "Z"),
        )
        assert given.values == {"A": f"secret_ref:other  {CANARY} y", "B": "Z"}

    def test_a_value_that_becomes_longer_than_a_variable_may_be_is_refused(
        self, make_secret: MakeSecret, user: User
    ) -> None:
        grant([make_secret(value="é" * 32768)], job_kind="custom", job_id=1, user=user)
        assert len(resolved({"A": "secret_ref:api,"})["A"]) == 32769
        with pytest.raises(SecretMissing, match=r"^A is longer than 128 kB with its secrets"):
            resolved({"A": "secret_ref:api secret_ref:api."}, check_id=uuid4())
        assert SecretUse.objects.count() == 1

    def test_values_that_together_fill_the_memory_are_refused(self, make_secret: MakeSecret, user: User) -> None:
        grant([make_secret(value="x" * 65536)], job_kind="custom", job_id=1, user=user)
        assert len(resolved({f"V{number}": "secret_ref:api" for number in range(16)})) == 16
        with pytest.raises(SecretMissing, match="together are longer than 1 MB"):
            resolved({f"V{number}": "secret_ref:api" for number in range(17)})

    def test_values_without_references_ask_nothing_of_the_database(self) -> None:
        with CaptureQueriesContext(connection) as queries:
            assert resolved({"A": "plain"}) == {"A": "plain"}
        assert len(queries) == 0
