"""What ``manage.py serve`` says and sets before it starts anything."""

from pathlib import Path
from typing import Any

import pytest

from teckochecker.demo import Demo
from teckochecker.management.commands import serve


def test_the_demo_opens_its_receiver_and_no_other_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TECKO_WEBHOOK_ALLOW", ".internal.example")
    allowed = Demo(Path(), 4711).environ()["TECKO_WEBHOOK_ALLOW"]
    assert allowed == ".internal.example,127.0.0.1:4711"


def test_the_hint_for_a_lost_password_names_the_home_of_another_instance(settings: Any) -> None:
    settings.TECKO_HOME = Path("/srv/two homes")
    assert "TECKO_HOME='/srv/two homes' .venv/bin/python manage.py changepassword" in serve.Command()._greeting()
    settings.TECKO_HOME = settings.BASE_DIR / "var"
    assert "(forgotten: .venv/bin/python manage.py changepassword" in serve.Command()._greeting()
