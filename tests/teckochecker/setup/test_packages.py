"""What a step needs is looked for before it is installed."""

import pytest

from teckochecker.setup import packages


@pytest.mark.parametrize(
    ("programs", "said"),
    [
        ([("sh", "dash"), ("libc", "libc6")], ""),
        ([("no-such-program", "one"), ("libnothing", "two"), ("sh", "dash")], "one, two"),
    ],
)
def test_only_missing_programs_and_libraries_are_asked_for(
    programs: list[tuple[str, str]], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)  # who is not root is only told
    packages.ensure(programs)
    out = capsys.readouterr().out
    assert said in out if said else out == ""
