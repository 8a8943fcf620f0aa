"""No manifest takes longer than in proportion to its length, whoever wrote it."""

import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from customchecks.archives import script_archive
from customchecks.archives.script_archive import Archive
from customchecks.dependencies import detection
from customchecks.dependencies.detection import ScriptUse
from customchecks.manifests.manifest import MAX_BYTES, ManifestRefused
from customchecks.manifests.toml_text import MAX_CHARACTERS
from tests.growth import grows_linearly

PYTHON, NODE = ScriptUse(runtime="python", entrypoint="main.py"), ScriptUse(runtime="node", entrypoint="index.js")
POETRY = '[tool.poetry.dependencies]\nx = "*"\n'
PROJECT = '[project]\ndependencies = ["x"]\n'


def archive(files: dict[str, str]) -> Archive:
    every = {"main.py": "", "index.js": "", **files}
    return script_archive.from_files((name, text.encode()) for name, text in every.items())


def read(packed: Archive) -> object:
    node = packed.has("package.json")
    return detection.find(packed, NODE if node else PYTHON)


def names(count: int, line: str) -> str:
    return "".join(line.replace("N", str(number)) for number in range(count))


# How often the pattern stands in the longest one
PATTERNS: dict[str, tuple[int, Callable[[int], dict[str, str]]]] = {
    "spaces in a requirement": (20_000, lambda n: {"requirements.txt": f"wheel{' ' * n}==0.1"}),
    "spaces in many requirements": (30, lambda n: {"requirements.txt": f"wheel{' ' * 2000}==0.1\n" * n}),
    "a long version": (20_000, lambda n: {"requirements.txt": f"x==1{'.1' * n}"}),
    "many hashes": (200, lambda n: {"requirements.txt": "x==1" + f" --hash=sha256:{'0' * 64}" * n}),
    "lines that go on": (20_000, lambda n: {"requirements.txt": "a\\\n" * n}),
    "brackets in a marker": (20_000, lambda n: {"requirements.txt": f"x;{'(' * n}"}),
    "extras": (20_000, lambda n: {"requirements.txt": f"x[{'a,' * n}a]"}),
    "options": (20_000, lambda n: {"requirements.txt": "--only-binary " + "a," * n}),
    "a path": (20_000, lambda n: {"requirements.txt": "./" + "a/" * n + "x.whl"}),
    "comments": (20_000, lambda n: {"requirements.txt": "x" + " #" * n}),
    "many requirements": (1000, lambda n: {"requirements.txt": names(n, "xN\n")}),
    "keys of a lock": (4000, lambda n: {"pyproject.toml": PROJECT, "uv.lock": "a." * n + "a=1"}),
    "keys of many lines": (50, lambda n: {"pyproject.toml": ("a." * 1000 + "a=1\n") * n}),
    "a table's name": (16_000, lambda n: {"pyproject.toml": f"[{'a.' * n}a]"}),
    "quoted keys": (4000, lambda n: {"pylock.toml": '"a\\"".' * n + '"a"=1'}),
    "strings without an end": (4000, lambda n: {"pylock.toml": '"""a"\n' + '\\"""b"\n' * n}),
    "quotation marks": (20_000, lambda n: {"pylock.toml": "'" * n}),
    "nested lists": (20_000, lambda n: {"pylock.toml": "a=" + "[" * n}),
    "digits": (20_000, lambda n: {"pylock.toml": "a=" + "1" * n}),
    "packages of a lock": (1000, lambda n: {"pylock.toml": names(n, '[[packages]]\nname="xN"\n')}),
    "packages of Poetry": (
        500,
        lambda n: {
            "pyproject.toml": POETRY,
            "poetry.lock": '[[package]]\nname="x"\nversion="1"\n' + names(n, '[[package]]\nname="xN"\nversion="1"\n'),
        },
    ),
    "a constraint of Poetry": (20_000, lambda n: {"pyproject.toml": f'{POETRY}y = "{">1," * n}"\n'}),
    "packages of Pipenv": (500, lambda n: {"Pipfile.lock": '{"default": {' + names(n, '"xN": "*",') + '"x": "*"}}'}),
    "an inline block": (20_000, lambda n: {"main.py": "# /// script\n" + "#\n" * n}),
    "inline blocks without an end": (4000, lambda n: {"main.py": "# /// script\n" * n}),
    "a range of npm": (20_000, lambda n: {"package.json": f'{{"dependencies": {{"x": "npm:{"a" * n}!"}}}}'}),
    "many ranges of npm": (
        200,
        lambda n: {"package.json": '{"dependencies": {' + names(n, f'"xN": "npm:{"a" * 900}",') + '"x": "1"}}'},
    ),
    "nested objects": (5000, lambda n: {"package.json": '{"dependencies": ' + '{"x":' * n}),
    "a lock of npm": (
        500,
        lambda n: {
            "package.json": '{"dependencies": {"x": "1"}}',
            "package-lock.json": '{"packages": {'
            + names(n, '"node_modules/xN": {"resolved": "https://a.example/xN/-/xN-1.tgz"},')
            + '"": {}}}',
        },
    ),
    "settings of npm": (
        20_000,
        lambda n: {"package.json": '{"dependencies": {"x": "1"}}', ".npmrc": "a" * n + "= " + " " * n},
    ),
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_time_that_a_manifest_takes_grows_with_its_length(pattern: str) -> None:
    size, files = PATTERNS[pattern]
    grows_linearly(read, lambda n: archive(files(n)), size=4 * size, refusals=(ManifestRefused,))


@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": f"wheel{' ' * 45_000}==0.1\n"},
        {"requirements.txt": f"wheel{' ' * 4_000_000}==0.1\n"},
        {"pyproject.toml": "a." * 400_000 + "a=1"},
        {"pylock.toml": "\n".join(".".join(f"k{line}x{part}" for part in range(15)) + "=1" for line in range(10_000))},
        {"package.json": '{"dependencies": {"x": "' + "npm:" * 500_000 + '"}}'},
    ],
)
def test_no_manifest_holds_a_processor_for_long(files: dict[str, str]) -> None:
    packed = archive(files)
    began = time.thread_time()
    with suppress(ManifestRefused):
        read(packed)
    assert time.thread_time() - began < 4


CROWDED = ("[{:x}.b.c.d.e.f.g.h.i.j.k.l]\n", "{:x}.b.c.d.e.f.g.h.i.j.k.l=1\n", "[k{:x}]\n", "k{:x}=[{{}}]\n")


@pytest.mark.parametrize("line", CROWDED)
def test_a_lock_of_keys_that_would_fill_the_memory_is_refused_before_it_is_parsed(line: str) -> None:
    crowded = archive({"pylock.toml": "".join(line.format(number) for number in range(100_001))[:MAX_CHARACTERS]})
    with pytest.raises(ManifestRefused, match="more than 100,000 keys"):
        detection.find(crowded, PYTHON)


def test_a_lock_of_packages_may_be_as_long_as_a_lock_may_be() -> None:
    wheel = f'    {{url = "https://example.com/{"p" * 60}.whl", hash = "sha256:{"0" * 64}", size = 1}},\n'
    package = '[[packages]]\nname = "p{}"\nversion = "1.0"\nwheels = [\n' + wheel * 10 + "]\n"
    text = "".join(package.replace("{}", str(number), 1) for number in range(MAX_CHARACTERS // len(package) - 1))
    assert detection.find(archive({"pylock.toml": text}), PYTHON) is not None


def test_a_lock_that_is_too_long_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(ManifestRefused, match="longer than 2 million"):
        detection.find(archive({"pylock.toml": "a=1\n" * 600_000}), PYTHON)


def test_a_manifest_that_is_too_large_is_refused_before_it_is_read() -> None:
    too_large = archive({"requirements.txt": "x\n" * (MAX_BYTES // 2 + 1)})
    began = time.thread_time()
    with pytest.raises(ManifestRefused, match="larger than 5 MB"):
        detection.find(too_large, PYTHON)
    assert time.thread_time() - began < 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x==1" + ".1" * 2000, "longer than 2000 characters"),
        ("x\n" * 5001, "more than 5000 requirements"),
        ("x==1" + " \\\n --hash=sha256:0" * 5000, "more than 64 kB"),
        ("#\n" * 100_001, "more than 100000 lines"),
    ],
)
def test_what_is_too_long_is_told_with_the_limit(text: str, told: str) -> None:
    with pytest.raises(ManifestRefused, match=told):
        detection.find(archive({"requirements.txt": text}), PYTHON)
