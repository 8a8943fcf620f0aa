"""Twice as much of what people upload and write costs twice the time to read, refused or not."""

import io
import tarfile
from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError

from customchecks.archives import script_archive
from customchecks.archives.tar_stream import ArchiveRejected
from customchecks.git import process, remote_fields
from customchecks.jobs import fields
from teckochecker.kit import safe_yaml, strict_json
from teckochecker.kit.api import json_parser
from tests.growth import grows_linearly

MB = 1024 * 1024
Text = Callable[[int], str]


def of(unit: str, *, before: str = "", after: str = "") -> Text:
    return lambda size: before + unit * (size // len(unit)) + after


def pax(name: Text) -> Callable[[int], bytes]:
    """An archive of 100 files whose names are as long as a header can say."""

    def make(size: int) -> bytes:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
            for number in range(100):
                tar.addfile(tarfile.TarInfo(f"{number}{name(size)}"))
        return packed.getvalue()

    return make


@pytest.mark.parametrize(
    "name",
    [of("\u0300\u0327", before="a"), of("a/"), of("./", after="a"), of("a"), of("\uac00"), of("../")],
    ids=["combining", "folders", "dots", "long", "hangul", "upwards"],
)
def test_the_names_of_an_archive(name: Text) -> None:
    def read(content: bytes) -> None:
        script_archive.normalise(io.BytesIO(content))

    grows_linearly(read, pax(lambda size: name(size // 4)), size=7600, refusals=(ArchiveRejected,))


def test_a_name_is_not_normalised_before_its_length_is_known() -> None:
    """Sorting its marks would take a tenth of a second for each."""

    def read(name: str) -> None:
        script_archive.from_files([(name, b"")])

    grows_linearly(read, of("\u0300\u0327", before="a"), size=400_000, refusals=(ArchiveRejected,))


@pytest.mark.parametrize("size_of_a_file", [0, 1000])
def test_the_files_of_an_archive(size_of_a_file: int) -> None:
    def files(count: int) -> list[tuple[str, bytes]]:
        return [(f"folder/{number}/file.py", bytes(size_of_a_file)) for number in range(count)]

    grows_linearly(script_archive.from_files, files, size=900, refusals=(ArchiveRejected,))


JSON = {
    "nested lists": of("["),
    "nested objects": of('{"a":'),
    "digits": of("9"),
    "fraction": of("1", before="1."),
    "exponent": of("9", before="1e"),
    "tiny": of("0", before="0.", after="1"),
    "text": of("a", before='"', after='"'),
    "escapes": of("\\u0041", before='"', after='"'),
    "lone surrogates": of("\\ud800", before='"', after='"'),
    "backslashes": of("\\", before='"'),
    "spaces": of(" "),
    "list": of("1,", before="[", after="1]"),
    "objects": of("{},", before="[", after="1]"),
    "one key": of('"a":1,', before="{", after='"b":1}'),
    "keys": lambda size: "{" + ",".join(f'"{number}":1' for number in range(size // 10)) + "}",
}


@pytest.mark.parametrize("text", JSON.values(), ids=JSON)
def test_json(text: Text) -> None:
    grows_linearly(strict_json.loads, text, size=MB // 2, refusals=(strict_json.NotStrict,))


@pytest.mark.parametrize("name", ["keys", "one key", "nested objects"])
def test_the_body_of_a_call(name: str) -> None:
    grows_linearly(json_parser.load_object, JSON[name], size=MB // 2, refusals=(strict_json.NotStrict,))


YAML = {
    "nested flow": of("["),
    "nested flow over lines": of("[\n"),
    "nested maps": of("{a: "),
    "nested block": of("- "),
    "keys in keys": of("? "),
    "spaces": of(" "),
    "tabs": of("\t"),
    "open text": of("a b\n", before='"'),
    "escapes": of("\\u0041", before='"', after='"'),
    "quotes": of("''"),
    "anchors": of("&a "),
    "aliases": of("*a "),
    "laughs": of("b: &b [*a,*a,*a,*a]\n", before="a: &a x\n"),
    "tags": of("!a "),
    "exclamation": of("!"),
    "directives": of("%a b\n"),
    "documents": of("---\n"),
    "comments": of("# x\n"),
    "colons": of(":"),
    "one long key": of("a", after=": b"),
    "folded": of("  b\n\n", before="a: >\n"),
    "plain over lines": of("b\n  ", before="a: "),
    "flow list": of("a, ", before="[", after="]"),
    "flow list over lines": of("a,\n", before="[" + "[\n" * 30),
    "keys": lambda size: "".join(f"k{number}: v\n" for number in range(size // 10)),
    "steps": lambda size: "".join(" " * (number % 30) + "- \n" for number in range(size // 20)),
    "not ASCII": of("é"),
}


@pytest.mark.parametrize("text", YAML.values(), ids=YAML)
def test_yaml(text: Text) -> None:
    def read(content: bytes) -> None:
        safe_yaml.read(content)

    grows_linearly(read, lambda size: text(size // 2).encode(), size=MB // 2, refusals=(safe_yaml.NotUsable,))


FIELDS: dict[str, Callable[[str], None]] = {
    "name": fields.name,
    "tag": lambda text: fields.tags([text]),
    "entry point": lambda text: fields.entrypoint("python", text),
    "variable's name": lambda text: fields.env_vars({text: "a"}),
    "variable": lambda text: fields.env_vars({"A": text}),
    "parameters": lambda text: fields.check_params({text: text}),
    "branch": remote_fields.git_branch,
    "commit": remote_fields.git_commit,
    "folder": remote_fields.git_path,
    "repository": remote_fields.git_url,
    "token": remote_fields.git_token,
}
UNITS = [
    "a",
    "a/",
    "-",
    ".",
    " ",
    "\\",
    "/.",
    "..",
    "@{",
    "\u0300\u0327",
    "PYTHON",
    "NPM_CONFIG_",
    "secret_ref:",
    "%41",
]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("check", FIELDS.values(), ids=FIELDS)
def test_a_field(check: Callable[[str], None], unit: str) -> None:
    grows_linearly(check, of(unit), size=MB // 4, refusals=(ValidationError,))


@pytest.mark.parametrize(
    "unit", ["repository '", "error: unable to access '", "fatal: ", "remote: x\n", "\r", "error: 40", "x: '"]
)
def test_what_git_says(unit: str) -> None:
    grows_linearly(lambda said: process.reason(said, code=1, limits=process.GitLimits()), of(unit), size=256 * 1024)
