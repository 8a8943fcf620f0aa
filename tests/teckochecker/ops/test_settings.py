"""Wrong settings: each is reported with its remedy, and none crashes what reads it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from teckochecker.ops import setting_values
from teckochecker.setup import home, started
from tests.ground_rules.code import BASE_DIR

WRONG = {
    "TECKO_HOST": "300.1.1.1",
    "TECKO_PORT": "eighty",
    "TECKO_PUBLIC_URL": "ftp://x",
    "TECKO_LOG_LEVEL": "LOUD",
    "TECKO_SUBNET": "10.0.0.1/24",
    "TECKO_PIP_INDEX_URL": "blah",
    "TECKO_NPM_REGISTRY": "blah",
    "TECKO_ALLOWED_HOSTS": "http://x",
    "DATABASE_URL": "mysql://user:canary@host/name",
}


def run(*arguments: str, home: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in WRONG}
    argv = [sys.executable, *arguments]
    env = kept | {"TECKO_HOME": str(home), "DJANGO_SETTINGS_MODULE": "teckochecker.settings"} | environ
    return subprocess.run(argv, cwd=BASE_DIR, env=env, capture_output=True, text=True, timeout=60)


def read(home: Path, *names: str, **environ: str) -> list[Any]:
    code = f"import json; from django.conf import settings as s; print(json.dumps([getattr(s, n) for n in {names}]))"
    return list(json.loads(run("-c", code, home=home, **environ).stdout))


@pytest.mark.usefixtures("processes")
def test_everything_wrong_is_said_at_once_with_its_remedy(tmp_path: Path) -> None:
    done = run("manage.py", "check", home=tmp_path, **WRONG)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for name in WRONG:
        assert f"{name}: (teckochecker.E001) {name} is " in done.stderr
    assert done.stderr.count("HINT: ") >= len(WRONG)


@pytest.mark.usefixtures("processes")
def test_a_password_in_a_wrong_address_is_not_shown(tmp_path: Path) -> None:
    assert "canary" not in run("manage.py", "check", home=tmp_path, **WRONG).stderr


@pytest.mark.usefixtures("processes")
def test_wrong_values_leave_the_defaults(tmp_path: Path) -> None:
    names = ("TECKO_HOST", "TECKO_PUBLIC_URL", "TECKO_LOG_LEVEL", "ALLOWED_HOSTS")
    expected = ["127.0.0.1", "http://127.0.0.1:8000", "INFO", ["127.0.0.1", "[::1]", "localhost"]]
    assert read(tmp_path, *names, **WRONG) == expected


@pytest.mark.usefixtures("processes")
def test_an_ipv6_address_has_brackets_where_urls_and_hosts_want_them(tmp_path: Path) -> None:
    url, hosts = read(tmp_path, "TECKO_PUBLIC_URL", "ALLOWED_HOSTS", TECKO_HOST="fd00::7", TECKO_PORT="9000")
    assert url == "http://[fd00::7]:9000"
    assert "[fd00::7]" in hosts


@pytest.mark.parametrize(
    ("parse", "raw", "value"),
    [
        (setting_values.host, "::1", "::1"),
        (setting_values.host, "0.0.0.0", "0.0.0.0"),
        (setting_values.host, "tecko-1.example.com", "tecko-1.example.com"),
        (
            setting_values.host_patterns,
            "a.example, .b.example *,[::1] ::1",
            ["a.example", ".b.example", "*", "[::1]", "[::1]"],
        ),
        (setting_values.web_origin, "https://tecko.example.com:8443/", "https://tecko.example.com:8443"),
        (setting_values.web_origin, "http://[::1]:80", "http://[::1]:80"),
        (
            setting_values.web_url,
            "https://user:word@pypi.example.com/simple/",
            "https://user:word@pypi.example.com/simple/",
        ),
        (setting_values.log_level, "debug", "DEBUG"),
        (setting_values.subnet, "10.213.0.0/26", "10.213.0.0/26"),
    ],
)
def test_what_can_be_used_is_read(parse: Callable[[str], Any], raw: str, value: object) -> None:
    assert parse(raw) == value


@pytest.mark.parametrize(
    ("parse", "raw"),
    [
        *(
            (setting_values.host, raw)
            for raw in ("", "1.2.3", "[::1]", "fe80::1%eth0", "a b", "-a", "a..b", "a:80", "http://a")
        ),
        *((setting_values.host_patterns, raw) for raw in ("a:80", "http://a", "a, .", "[a]", "a/b")),
        *((setting_values.web_origin, raw) for raw in ("x", "https://", "https://a/b", "https://a?b", "https://u:p@a")),
        *(
            (setting_values.web_url, raw)
            for raw in ("ftp://a", "//a", "https://a:99999", "https://a:0", "https://a b", "http://[")
        ),
        *(
            (setting_values.database, raw)
            for raw in ("foo", "sqlite:///", "mysql://a/b", "postgres:a", "postgres://a:b/c")
        ),
        *((setting_values.subnet, raw) for raw in ("10.213.0.0", "10.213.0.0/27", "10.213.0.1/24", "fd00::/64", "x")),
        *((setting_values.log_level, raw) for raw in ("", "LOUD", "10")),
    ],
)
def test_what_cannot_be_used_is_refused(parse: Callable[[str], Any], raw: str) -> None:
    with pytest.raises(ValueError):
        parse(raw)


def test_a_database_is_sqlite_or_postgresql() -> None:
    assert setting_values.database("sqlite:////srv/t.sqlite3")["NAME"] == "/srv/t.sqlite3"
    assert setting_values.database("postgres://u:p@h:5433/n")["PORT"] == 5433


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize(
    ("name", "meant"),
    [("TECKO_EGRES_ALLOW", "TECKO_EGRESS_ALLOW"), ("TECKO_KEY", "TECKO_KEYS"), ("TECKO_WHATEVER_ELSE", "")],
)
def test_a_setting_that_does_not_exist_is_refused_with_the_nearest_name(tmp_path: Path, name: str, meant: str) -> None:
    for done in (
        run("manage.py", "check", home=tmp_path, **{name: "1"}),
        _with_file(tmp_path, f"{name}=1"),
    ):
        assert done.returncode == 1
        assert f"{name}: (teckochecker.E005) There is no setting {name}, which is in " in done.stderr
        assert (f"Write {meant} if that is meant" in done.stderr) is bool(meant)


@pytest.mark.usefixtures("processes")
def test_what_is_nearly_a_setting_in_the_file_is_refused_and_what_is_no_setting_at_all_is_not(tmp_path: Path) -> None:
    done = _with_file(tmp_path, "TEKCO_PORT=1\nDATABSE_URL=x\nCOMPOSE_PROJECT_NAME=ours\nTECKO_TOKEN=mine")
    assert done.stderr.count("(teckochecker.E005)") == 2
    assert "Write TECKO_PORT if" in done.stderr
    assert "Write DATABASE_URL if" in done.stderr


def _with_file(home: Path, text: str) -> subprocess.CompletedProcess[str]:
    (home / ".env").write_text(text)
    return run("manage.py", "check", home=home)


@pytest.mark.usefixtures("processes")
def test_every_setting_is_known(tmp_path: Path) -> None:
    assert "E005" not in _with_file(tmp_path, "\n".join(f"{name}=" for name in WRONG)).stderr


# A running server and what was changed since it started


@pytest.mark.usefixtures("processes")
def test_settings_that_changed_since_the_server_started_are_named_and_never_shown(tmp_path: Path) -> None:
    home.ensure(tmp_path, {})
    env = tmp_path / ".env"
    env.write_text(f"{env.read_text()}TECKO_PORT=9000\nTECKO_HOST=127.0.0.1\n")
    with home.server_lock(tmp_path):
        started.record(tmp_path, {"TECKO_HOST": "127.0.0.2"})
        assert started.compare(tmp_path) is None
        env.write_text(env.read_text().replace("9000", "9001").replace("127.0.0.1", "127.0.0.9") + "TECKO_PROXIES=2\n")
        older = started.compare(tmp_path)
        assert older is not None
        assert (older.names, older.process) == (("TECKO_PORT", "TECKO_PROXIES"), str(os.getpid()))
        said = run("manage.py", "customcheck", "list", home=tmp_path).stderr
        assert "TECKO_PORT, TECKO_PROXIES changed since. Restart it" in said
        assert "9001" not in said
    assert started.compare(tmp_path) is None
    assert "9000" not in (tmp_path / started.NAME).read_text()
    assert (tmp_path / started.NAME).stat().st_mode & 0o777 == 0o600
