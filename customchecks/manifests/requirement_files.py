"""Requirement files of pip, with all that they include.

The format is pip's ("Requirements File Format" in its documentation), the grammar of a requirement PEP 508's, read by
``packaging``. Of the options only those are taken that neither change where packages come from nor what is executed.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from urllib.parse import urlsplit

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement

from customchecks.archives.script_archive import UNPACKED_AT, Archive
from customchecks.manifests import places
from customchecks.manifests.manifest import GENERATED, Manifest, ManifestRefused, read, shown

MAX_FILES = 20
MAX_LINES = 5000  # of all files together
MAX_PHYSICAL_LINES = 100_000  # of one file, with hashes and comments
MAX_LINE = 64 * 1024  # a requirement with the hashes of all of its files
MAX_REQUIREMENT = 2000  # the same without them

HASH_DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}

_OPTION = re.compile(r"(--[a-z][a-z-]*|-[a-zA-Z])\s*=?\s*(.*)")
_CONSTRAINTS = ("-c", "--constraint")
_INCLUDE = ("-r", "--requirement", *_CONSTRAINTS)
_EDITABLE = ("-e", "--editable")
_HARMLESS = ("--require-hashes", "--pre", "--prefer-binary")
_ONLY_BINARY = re.compile(r":all:|[A-Za-z0-9][A-Za-z0-9._-]*(?: ?, ?[A-Za-z0-9][A-Za-z0-9._-]*)*")
_INDEX = ("-i", "--index-url", "--extra-index-url", "--no-index", "-f", "--find-links", "--trusted-host")
_COMMENT = re.compile(r"(^|\s)#.*")
_HASH = re.compile(r"(sha256|sha384|sha512):([0-9a-fA-F]+)")
_PATH = re.compile(r"(?!-)[\w.+@~/-]+(\[[\w.,-]*\])?")
_FILE_SUFFIXES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class RequirementLines:
    """Lines of requirements, checked and written anew: the installer cannot read them another way.

    Paths are read from the file that names them, or else from ``folder``. ``local`` says that one names a file of the
    archive, ``wanted`` that anything is asked for. Every method raises ManifestRefused.
    """

    def __init__(self, archive: Archive, *, folder: str = "", source_builds: bool) -> None:
        self._archive = archive
        self._folder = folder
        self._source_builds = source_builds
        self._written: dict[str, list[str]] = {}
        self._included: set[tuple[str, bool]] = set()
        self._count = 0
        self.local = False
        self.wanted = False

    def manifest(self, main: str) -> Manifest | None:
        """``main`` is the file that names all others; None where nothing is asked for."""
        if not self.wanted:
            return None
        files = {path: "\n".join([*lines, ""]).encode() for path, lines in self._written.items()}
        return Manifest(installer="requirements", main=main, files=files, local=self.local)

    def include(self, path: str, *, constraints: bool = False) -> None:
        """A file of the archive. Constraints alone ask for nothing."""
        if (path, constraints) in self._included:
            return
        self._included.add((path, constraints))
        if len(self._included) > MAX_FILES:
            raise ManifestRefused(f"{shown(path)}: requirement files include more than {MAX_FILES} files.")
        physical = read(self._archive, path).splitlines()
        if len(physical) > MAX_PHYSICAL_LINES:
            raise ManifestRefused(f"{shown(path)} has more than {MAX_PHYSICAL_LINES} lines.")
        lines = _logical(physical)
        folder = posixpath.dirname(path)
        self._write(path, (self._line(line, folder) for line in lines), constraints=constraints)

    def require(
        self, manifest: str, requirements: Iterable[str], *, constraints: bool = False, constrained_by: str = ""
    ) -> str:
        """What another kind of ``manifest`` asks for, as a file of its own, whose path is returned."""
        path = f"{manifest}{GENERATED}"
        folder = posixpath.dirname(path)
        written = (self._alone(text, folder) for text in requirements)
        first = (f"-c {UNPACKED_AT}/{constrained_by}",) if constrained_by else ()
        self._write(path, chain(first, written), constraints=constraints)
        return path

    def _write(self, path: str, lines: Iterable[str], *, constraints: bool) -> None:
        written = self._written[path] = []
        wanted = self.wanted
        for line in lines:
            self._count += 1
            if self._count > MAX_LINES:
                raise ManifestRefused(f"{shown(path)}: more than {MAX_LINES} requirements are not taken.")
            written.append(line)
        if constraints:
            self.wanted = wanted

    def _alone(self, text: str, folder: str) -> str:
        if text.lstrip().startswith("-"):
            raise ManifestRefused(f"{shown(text)} is no requirement.")
        if "${" in text:
            raise ManifestRefused(f"{shown(text)}: environment variables are not filled in here.")
        return self._requirement(text, folder)

    def _line(self, line: str, folder: str) -> str:
        if "${" in line:
            raise ManifestRefused(f"{shown(line)}: environment variables are not filled in here.")
        found = _OPTION.fullmatch(line)
        if not found:
            return self._requirement(line, folder)
        option, value = found[1], " ".join(found[2].split()).strip("\"'")
        if option in _INCLUDE:
            value = self._inclusion(value, folder)
            self.include(value, constraints=option in _CONSTRAINTS)
            value = f"{UNPACKED_AT}/{value}"
        elif option in _EDITABLE:
            value = self._source(value, folder)
        elif option in _INDEX:
            raise ManifestRefused(f"{option} is not taken from scripts: the operator sets the package index.")
        elif not _harmless(option, value):
            raise ManifestRefused(f"{shown(line)}: this option is not supported in a requirement file.")
        return f"{option} {value}".strip()

    def _requirement(self, line: str, folder: str) -> str:
        self.wanted = True
        words = line.split()
        first = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
        return " ".join([self._named(" ".join(words[:first]), folder), *_hashes(words[first:])])

    def _named(self, text: str, folder: str) -> str:
        if len(text) > MAX_REQUIREMENT:
            raise ManifestRefused(f"{shown(text)} is longer than {MAX_REQUIREMENT} characters.")
        word, _, marker = text.partition(" ; ")
        if _is_source(word):
            return " ; ".join([self._source(word, folder), *([_marker(marker)] if marker else [])])
        requirement = parsed(text)
        if requirement.url:
            source = self._source(requirement.url, folder)
            requirement.url = f"file://{source}" if source.startswith("/") else source
        return str(requirement)

    def _source(self, text: str, folder: str) -> str:
        """A URL or a path, perhaps with extras behind it."""
        self.wanted = True
        places.refuse_version_control(text)
        if text.lower().startswith("file:"):
            raise ManifestRefused(f"{shown(text)}: name a file of the archive by its path, such as ./package.whl.")
        if places.is_url(text):
            places.check_url(text)
            if not urlsplit(text).path.endswith(".whl"):
                self._check_build(text)
            return text
        return self._path(text, folder)

    def _path(self, text: str, folder: str) -> str:
        """As it will be called where the archive is unpacked."""
        named, bracket, extras = text.partition("[")
        path = self._found(named, folder)
        self.local = True
        if not path.endswith(".whl"):
            self._check_build(text)
        return f"{UNPACKED_AT}/{path}{bracket}{extras}"

    def _inclusion(self, text: str, folder: str) -> str:
        if places.is_url(text):
            raise ManifestRefused(f"{shown(text)}: only files of the archive can be included.")
        return self._found(text, folder)

    def _found(self, text: str, folder: str) -> str:
        if not _PATH.fullmatch(text):
            raise ManifestRefused(f"{shown(text)} is neither a requirement nor a path that is taken here.")
        for base in (folder, self._folder):
            path = places.inside(base, text)
            if path == "." or self._archive.has(path) or self._archive.has_folder(path):
                return path
        raise ManifestRefused(f"{shown(text)} is not in the archive.")

    def _check_build(self, text: str) -> None:
        if not self._source_builds:
            raise must_be_built(text)


def parsed(text: str) -> Requirement:
    """Raises ManifestRefused."""
    try:
        return Requirement(text)
    except (InvalidRequirement, RecursionError) as error:
        problem = str(error).partition("\n")[0] or "it is nested too deep"
        raise ManifestRefused(f"{shown(text)} is no requirement: {problem}."[:400]) from None


def hash_options(hashes: Iterable[str]) -> Iterator[str]:
    """Of ``sha256:…``. Raises ManifestRefused."""
    for text in hashes:
        found = _HASH.fullmatch(text)
        if not found or len(found[2]) != HASH_DIGITS[found[1]]:
            raise ManifestRefused(f"{shown(text)} is no hash; --hash=sha256: and 64 digits are wanted.")
        yield f"--hash={text}"


def must_be_built(text: str) -> ManifestRefused:
    return ManifestRefused(
        f"{shown(text)} has to be built from source, which this job does not allow. Use a wheel, or set"
        " allow_source_builds (--source-builds) for the job."
    )


def _hashes(words: Sequence[str]) -> Iterator[str]:
    """What may follow a requirement: ``--hash=sha256:…`` or ``--hash sha256:…``, and nothing else."""
    rest = iter(words)
    for word in rest:
        option, separator, value = word.partition("=")
        if option != "--hash":
            raise ManifestRefused(f"{shown(word)} behind a requirement is not supported.")
        yield from hash_options([value if separator else next(rest, "")])


def _is_source(word: str) -> bool:
    if places.is_url(word) or word.lower().startswith(("file:", *places.VERSION_CONTROL)):
        return "@" not in word.partition(":")[0] and " " not in word
    return " " not in word and (word.startswith((".", "/", "~")) or "/" in word or word.endswith(_FILE_SUFFIXES))


def _marker(text: str) -> str:
    try:
        return str(Marker(text))
    except (InvalidMarker, RecursionError):
        raise ManifestRefused(f"{shown(text)} is no marker.") from None


def _harmless(option: str, value: str) -> bool:
    if option == "--only-binary":
        return bool(_ONLY_BINARY.fullmatch(value))
    return option in _HARMLESS and not value


def _logical(lines: Iterable[str]) -> Iterator[str]:
    """Without comments; lines that end in a backslash go on in the next one."""
    begun: list[str] = []
    length = 0
    for line in [*lines, ""]:
        text = _COMMENT.sub("", line).strip()
        length += len(text)
        if length > MAX_LINE:
            raise ManifestRefused(f"{shown(text)}: a line of more than {MAX_LINE // 1024} kB is not taken.")
        if text.endswith("\\"):
            begun.append(text[:-1])
            continue
        if wanted := " ".join([*begun, text]).strip():
            yield wanted
        begun, length = [], 0
