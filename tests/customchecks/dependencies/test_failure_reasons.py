"""What is told of an installer's log, and what the operator is advised to do."""

import socket
from typing import Any

import pytest

from customchecks.dependencies import reachability
from customchecks.dependencies.failure_reasons import MAX_CHARACTERS, essence, remedy, told
from customchecks.installers import package_managers


def test_the_reason_begins_with_the_first_error_and_not_within_a_word() -> None:
    log = "Using Python\n" + "noise " * 200 + "\nerror: no version of nothing-here\n  hint: look again"
    assert essence(log) == "error: no version of nothing-here hint: look again"
    assert essence("npm warn old\nnpm error code E404\nnpm error 404 Not Found").startswith("npm error code E404")


def test_a_log_without_an_error_is_told_by_its_last_whole_lines() -> None:
    shown = essence("\n".join(f"line {number} of the log" for number in range(200)))
    assert shown.startswith("line ")
    assert shown.endswith("line 199 of the log")
    assert len(shown) <= MAX_CHARACTERS


@pytest.fixture
def public_indexes(settings: Any) -> None:
    settings.TECKO_PIP_INDEX_URL = settings.TECKO_NPM_REGISTRY = "https://8.8.8.8/"


@pytest.mark.parametrize("log", ["error: Failed to fetch: `x`", "npm error code ENOTFOUND"])
def test_an_index_that_is_not_reached_names_the_settings(public_indexes: None, log: str) -> None:
    assert "TECKO_PIP_INDEX_URL or TECKO_NPM_REGISTRY" in told(log)
    assert remedy("error: no such version") == ""


@pytest.mark.parametrize(
    "log",
    [
        "error: Failed to fetch: `https://10.1.2.3/simple/x/`\n cause: tcp connect error: Connection refused",
        "npm error code ECONNREFUSED\nnpm error FetchError: request to https://10.1.2.3/x failed",
        "error: the package index 10.1.2.3: [Errno 111] Connection refused",
    ],
)
def test_an_index_that_our_own_rules_refuse_names_its_address(public_indexes: None, settings: Any, log: str) -> None:
    settings.TECKO_EGRESS_ALLOW = ["10.9.9.0/24"]
    assert remedy(log).endswith("Set TECKO_EGRESS_ALLOW=10.9.9.0/24,10.1.2.3")
    settings.TECKO_EGRESS_ALLOW = ["10.1.0.0/16"]
    assert "TECKO_PIP_INDEX_URL" in remedy(log)


def test_the_operators_own_index_is_looked_at(settings: Any) -> None:
    settings.TECKO_PIP_INDEX_URL = "https://somebody:hunter2@localhost:8443/simple"
    settings.TECKO_NPM_REGISTRY = "https://8.8.8.8/"
    settings.TECKO_EGRESS_ALLOW = []
    found = reachability.obstacle(package_managers.index_hosts())
    assert found is not None
    assert found.remedy == f"Set TECKO_EGRESS_ALLOW={socket.gethostbyname('localhost')}"
    assert "hunter2" not in found.problem


@pytest.mark.parametrize(
    "log",
    [
        "error: Failed to fetch\n cause: invalid peer certificate: UnknownIssuer",
        "npm error code SELF_SIGNED_CERT_IN_CHAIN",
        "npm error code UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
        "error: the package index x: [SSL: CERTIFICATE_VERIFY_FAILED]",
    ],
)
def test_a_certificate_that_is_not_trusted_names_the_bundle(log: str) -> None:
    assert "TECKO_CA_BUNDLE" in told(log)


@pytest.mark.parametrize(
    "log",
    [
        "error: x==1 has no usable wheels\nhint: Wheels are required for `x` because building from source is disabled",
        "error: building `x` is disabled (i.e., with `--no-build`)",
    ],
)
def test_a_package_without_a_wheel_names_the_jobs_setting(log: str) -> None:
    assert "allow_source_builds" in told(log)


def test_a_refused_password_names_where_it_stands() -> None:
    assert "TECKO_NPM_REGISTRY" in told("npm error code E401")
