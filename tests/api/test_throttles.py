"""How many calls a minute are answered: by login, by address, and what the refusal says."""

import http.client
import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import RequestFactory
from rest_framework.test import APIClient

from secrets_app.access.models import ApiToken, Scope
from teckochecker.access import shared_counters
from teckochecker.access.throttles import PerLogin, Strangers, address, network
from tests.api import live
from tests.api.conftest import JOBS
from tests.api.test_passwords import basic
from tests.polling.sweep.leases import on_duty

NOW = "2026-11-25T10:00:00Z"


def holder(user: User) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Token {ApiToken.objects.create(user, scope=Scope.READ)[1]}")
    return client


def codes(client: APIClient, path: str = JOBS, *, calls: int, **headers: Any) -> list[int]:
    return [client.get(path, **headers).status_code for _ in range(calls)]


def test_a_token_is_answered_so_often_a_minute_and_told_when_to_come_back(boss: User, settings: Any) -> None:
    settings.TECKO_REQUESTS_PER_MINUTE = 3
    client = holder(boss)
    with time_machine.travel(NOW, tick=False) as clock:
        assert codes(client, calls=3) == [200, 200, 200]
        refused = client.get(JOBS)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
        assert "60 seconds" in refused.json()["detail"]
        clock.shift(60)
        assert client.get(JOBS).status_code == 200


def test_one_token_does_not_use_up_what_another_has(boss: User, settings: Any) -> None:
    settings.TECKO_REQUESTS_PER_MINUTE = 1
    one, other = holder(boss), holder(boss)
    assert codes(one, calls=2) == [200, 429]
    assert codes(other, calls=1) == [200]
    other.force_login(boss)
    other.credentials()
    assert codes(other, calls=2) == [200, 429]


@pytest.mark.parametrize("scope", [Scope.READ, Scope.OPERATE])
def test_calls_that_are_forbidden_are_counted_too(boss: User, settings: Any, scope: Scope) -> None:
    settings.TECKO_REQUESTS_PER_MINUTE = settings.TECKO_FAILED_LOGINS_PER_MINUTE = 2
    _, token = ApiToken.objects.create(boss, scope=scope)
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    assert [client.post("/api/admin/secrets", {}).status_code for _ in range(3)] == [403, 403, 429]


def test_metrics_are_throttled_with_their_login_and_health_is_not(client: APIClient, settings: Any) -> None:
    settings.TECKO_REQUESTS_PER_MINUTE = settings.TECKO_FAILED_LOGINS_PER_MINUTE = 1
    assert codes(client, "/metrics", calls=2) == [200, 429]
    on_duty()
    assert codes(APIClient(), "/api/health", calls=3) == [200, 200, 200]


@pytest.mark.parametrize("header", [None, "Token tck_wrong"])
def test_strangers_of_one_address_are_refused_before_long(boss: User, settings: Any, header: str | None) -> None:
    settings.TECKO_FAILED_LOGINS_PER_MINUTE = 2
    headers = {"HTTP_AUTHORIZATION": header} if header else {}
    client = APIClient(raise_request_exception=False)
    assert codes(client, calls=2, **headers) == [401, 401]
    refused = client.get(JOBS, **headers)
    assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)
    assert refused.json()["detail"].startswith("Too many calls without a valid login.")
    assert codes(client, calls=1, REMOTE_ADDR="192.0.2.7", **headers) == [401]
    assert codes(holder(boss), calls=1) == [200]


def test_an_address_that_tries_many_names_is_refused_before_its_passwords_are_looked_at(
    boss: User, settings: Any
) -> None:
    settings.TECKO_FAILED_LOGINS_PER_MINUTE = 2
    client = APIClient(raise_request_exception=False)
    assert [client.get(JOBS, **basic(name=f"name {n}")).status_code for n in range(3)] == [401, 401, 429]
    assert client.get(JOBS, **basic()).status_code == 429
    assert client.get(JOBS, **basic(), REMOTE_ADDR="192.0.2.7").status_code == 200


def test_calls_at_the_same_time_are_all_counted(boss: User, settings: Any) -> None:
    settings.TECKO_REQUESTS_PER_MINUTE = 20
    call = RequestFactory().get(JOBS)
    call.user, call.auth = boss, None  # type: ignore[attr-defined]
    start = threading.Barrier(8)

    def allowed(_: int) -> int:
        start.wait()
        return sum(PerLogin().allow_request(call, None) for _ in range(10))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(allowed, range(8))) == 20


@pytest.mark.usefixtures("processes")
@pytest.mark.django_db(transaction=True)
def test_the_processes_of_the_web_server_count_together() -> None:
    number = os.getpid() * 1000  # of no other test's token: the counter is the product's own
    _, token = ApiToken.objects.create(User.objects.create_superuser("boss"), pk=number)

    def call(port: int) -> int:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as line:
            line.request("GET", JOBS, headers={"Authorization": f"Token {token}"})
            with line.getresponse() as answer:
                return answer.status

    with live.web_server(TECKO_REQUESTS_PER_MINUTE="10") as (port, _pid), ThreadPoolExecutor(8) as pool:
        answers = Counter(pool.map(call, [port] * 40))
    assert answers == {200: 10, 429: 30}


@pytest.mark.parametrize(
    ("proxies", "forwarded", "seen"),
    [
        (0, "198.51.100.9", "192.0.2.1"),
        (1, "198.51.100.9", "198.51.100.9"),
        (1, "203.0.113.66, 198.51.100.9", "198.51.100.9"),
        (2, "203.0.113.66, 198.51.100.9, 192.0.2.5", "198.51.100.9"),
        (3, "198.51.100.9", "198.51.100.9"),
        (1, "", "192.0.2.1"),
        (1, "nonsense", ""),
        (1, "198.51.100.9:4711", "198.51.100.9"),
        (1, "[2001:db8::7]:443", "2001:db8::7"),
        (1, "[2001:db8::7]", "2001:db8::7"),
        (1, "fe80::7%eth0", "fe80::7"),
        (1, "::ffff:198.51.100.9", "198.51.100.9"),
    ],
)
def test_an_address_is_believed_from_our_own_proxies_only(
    settings: Any, proxies: int, forwarded: str, seen: str
) -> None:
    settings.TECKO_PROXIES = proxies
    call = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR=forwarded)
    assert address(call) == seen


def test_neighbours_in_one_ipv6_network_are_one() -> None:
    one, other = (RequestFactory().get("/", REMOTE_ADDR=f"2001:db8::{n}") for n in (1, 2))
    assert network(one) == network(other) == "2001:db8::/64"


def test_no_two_addresses_share_a_counter() -> None:
    calls = [RequestFactory().get("/", REMOTE_ADDR=f"10.1.{n // 250}.{n % 250}") for n in range(5000)]
    calls += [RequestFactory().get("/", REMOTE_ADDR=f"2001:db8:0:{n:x}::1") for n in range(5000)]
    calls += [RequestFactory().get("/", REMOTE_ADDR=f"::ffff:10.2.{n // 250}.{n % 250}") for n in range(5000)]
    assert len({Strangers().get_cache_key(call, None) for call in calls}) == len(calls)


def test_counters_that_were_not_used_lately_go_when_there_are_too_many(settings: Any, tmp_path: Path) -> None:
    settings.THROTTLE_FOLDER = tmp_path
    for number in range(shared_counters.MOST_FILES + 1):
        (tmp_path / f"address-{number}").touch()
    os.utime(tmp_path / "address-7", (1, 1))
    (tmp_path / "address-8").unlink()
    shared_counters.tidy()
    assert len(list(tmp_path.iterdir())) == shared_counters.MOST_FILES - 1
    for number in range(2):
        (tmp_path / f"new-{number}").touch()
    shared_counters.tidy()
    assert len(list(tmp_path.iterdir())) == shared_counters.KEPT_FILES
    assert (tmp_path / "new-1").exists()


@pytest.mark.parametrize(
    "refused",
    [
        lambda client: client.post(JOBS, {}),  # a token for reading
        lambda client: client.get("/api/nothing"),
        lambda client: client.get("/api/custom-checks/99999"),
    ],
    ids=["403", "404", "404 of a job"],
)
def test_refused_calls_of_a_valid_token_lock_nobodys_password(boss: User, settings: Any, refused: Any) -> None:
    settings.TECKO_FAILED_LOGINS_PER_MINUTE = settings.TECKO_LOGIN_ATTEMPTS = 2
    settings.TECKO_REQUESTS_PER_MINUTE = 4
    client = holder(boss)
    assert {refused(client).status_code for _ in range(8)} <= {403, 404, 429}
    assert codes(APIClient(), calls=1, **basic()) == [200]
    assert codes(APIClient(), calls=2) == [401, 401]


def test_a_token_for_reading_uses_up_its_own_calls(boss: User, settings: Any) -> None:
    settings.TECKO_REQUESTS_PER_MINUTE = settings.TECKO_FAILED_LOGINS_PER_MINUTE = 3
    client = holder(boss)
    assert [client.post(JOBS, {}).status_code for _ in range(4)] == [403, 403, 403, 429]
    assert codes(client, calls=1) == [429]


@pytest.mark.parametrize("header", [None, "Token tck_wrong", "Bearer tck_wrong"])
def test_calls_without_a_login_lock_nobodys_password(boss: User, settings: Any, header: str | None) -> None:
    settings.TECKO_FAILED_LOGINS_PER_MINUTE = 2
    headers = {"HTTP_AUTHORIZATION": header} if header else {}
    assert codes(APIClient(), calls=3, **headers) == [401, 401, 429]
    assert codes(APIClient(), calls=1, **basic()) == [200]
