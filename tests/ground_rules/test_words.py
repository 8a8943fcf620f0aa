"""What no file of the project may say."""

import re

import pytest

from tests.ground_rules.code import BASE_DIR, tracked

# Put together here, so that this file may pass its own test
PARTS = {
    "a path of one machine": [r"/(?:root|home/\w+)" + "/", "/work/" + r"(?:shared|main)\b(?!\.)", "/bash" + "_jobs"],
    "an address of a package registry": [
        r"\bpypi" + r"\.org",
        "pythonhosted" + r"\.org",
        "npmjs" + r"\.(?:org|com)",
        r"deb\.debian" + r"\.org",
        r"(?:registry-1|index|hub)\.docker" + r"\.(?:io|com)",
        r"\b(?:ghcr|quay)" + r"\.io",
    ],
}
FORBIDDEN = {meaning: re.compile("|".join(words)) for meaning, words in PARTS.items()}


def found(text: str) -> list[str]:
    return [f"{meaning}: {match[0]}" for meaning, words in FORBIDDEN.items() for match in words.finditer(text)]


def test_no_file_names_a_machine_or_a_registry() -> None:
    texts = {path: (BASE_DIR / path).read_text(errors="replace") for path in tracked()}
    assert {path: found(text) for path, text in texts.items() if found(text)} == {}


@pytest.mark.parametrize("text", ["/ro" + "ot/.venv", "https://registry.npm" + "js.org/x", "see /work" + "/main/x.py"])
def test_the_rule_sees_them(text: str) -> None:
    assert len(found(text)) == 1


@pytest.mark.parametrize("text", ["apt-get install docker.io", "python3 /work/main.py"])
def test_the_rule_leaves_packages_and_containers_alone(text: str) -> None:
    assert found(text) == []
