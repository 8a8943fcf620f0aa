"""What a runtime is: one row. A further one is a row here, a Dockerfile in ``runner_images``, and a test."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django.conf import settings

from customchecks.archives.script_archive import Archive
from customchecks.docker import hardening
from customchecks.installers.package_managers import NPM, UV, PackageManager
from customchecks.manifests import node_manifests, python_manifests
from customchecks.manifests.manifest import Manifest

CA_FILE = "ca.pem"
VERSION = "{version}"  # in the setting of a base
NODE_HEAP_PERCENT = 75  # of the memory; the rest is for what is young, buffers and code
_CA = f"{hardening.FILES}/{CA_FILE}"
_NPM = {name: f"bin/{name}-cli.js" for name in ("npm", "npx")}
_TRUST = dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"), _CA)


def _trusted_authorities(_memory_mb: int, trusting: bool) -> dict[str, str]:
    return dict(_TRUST) if trusting else {}


@dataclass(frozen=True, kw_only=True)
class NpmPackage:
    """A program that an offline base takes from npm, and which of its files go where below ``/usr/local``.

    ``{machine}`` in its name is "x64" or "arm64". Without ``only`` all files are taken but those whose names begin with
    one of ``left_out``. ``links`` are names in ``bin`` of files of the package.
    """

    name: str
    version: int
    folder: str = ""
    only: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        return name in self.only if self.only else not name.startswith(self.left_out)

    def is_program(self, name: str) -> bool:
        return name in self.only or name.startswith("bin/")

    def place(self, name: str) -> str:
        return f"{self.folder}/{name}" if self.folder else name


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """An image, and how scripts run in it: its ``name`` is the image's tag and what a job says.

    The language alone means its ``default`` version. ``base_setting`` names the setting with another base, if there is
    one. ``manifest`` takes an archive, its entry point and whether packages may be built, and raises ManifestRefused;
    ``packages`` installs what it asks for. ``environment`` takes the megabytes of memory, and whether the operator's
    authorities are in the container.
    """

    language: str
    version: str
    default: bool = False

    # Its image: of the folder's Dockerfile, on a registry's base or on packages of a Debian suite and of npm
    base: str
    base_setting: str = ""
    suite: str
    npm_packages: tuple[NpmPackage, ...] = ()
    has_uv: bool = False

    # Its scripts
    interpreter: tuple[str, ...]
    entrypoint: str
    suffixes: tuple[str, ...]
    manifest: Callable[[Archive, str, bool], Manifest | None]
    packages: PackageManager
    environment: Callable[[int, bool], dict[str, str]] = _trusted_authorities

    @property
    def name(self) -> str:
        return f"{self.language}-{self.version}"

    @property
    def word(self) -> str:
        """What people and programs are shown."""
        return self.language if self.default else self.name

    @property
    def image_base(self) -> str:
        """What a registry calls the base. A setting without a version in it is about the default one."""
        wanted = str(getattr(settings, self.base_setting)) if self.base_setting else ""
        if not wanted or (VERSION not in wanted and not self.default):
            wanted = self.base
        return wanted.replace(VERSION, self.version)


def _node_environment(memory_mb: int, trusting: bool) -> dict[str, str]:
    """Node looks at half of the memory only, and at no more than 4 GB of it.

    NODE_EXTRA_CA_CERTS would cost 130 ms at every start; the option reads SSL_CERT_FILE when it is needed.
    """
    options = ["--use-openssl-ca"] if trusting else []
    options.append(f"--max-old-space-size={memory_mb * NODE_HEAP_PERCENT // 100}")
    return {"NODE_OPTIONS": " ".join(options), **(_TRUST if trusting else {})}


def _python(version: str, suite: str, *, default: bool = False) -> Runtime:
    return Runtime(
        language="python",
        version=version,
        default=default,
        base="python:{version}-slim",
        base_setting="TECKO_PYTHON_BASE",
        suite=suite,
        has_uv=True,
        interpreter=("python3",),
        entrypoint="main.py",
        suffixes=(".py",),
        manifest=lambda archive, entrypoint, source_builds: python_manifests.find(
            archive, entrypoint=entrypoint, source_builds=source_builds, python=version
        ),
        packages=UV,
    )


def _node(version: str, suite: str, *, npm: int, default: bool = False) -> Runtime:
    return Runtime(
        language="node",
        version=version,
        default=default,
        base="node:{version}-slim",
        base_setting="TECKO_NODE_BASE",
        suite=suite,
        npm_packages=(
            NpmPackage(name="node-linux-{machine}", version=int(version), only=("bin/node",)),
            NpmPackage(name="npm", version=npm, folder="lib/node_modules/npm", left_out=("docs/", "man/"), links=_NPM),
        ),
        interpreter=("node",),
        entrypoint="index.js",
        suffixes=(".js", ".mjs", ".cjs"),
        manifest=lambda archive, entrypoint, _source_builds: node_manifests.find(archive, entrypoint=entrypoint),
        packages=NPM,
        environment=_node_environment,
    )


# The suite of a Python is the Debian release that has it
ROWS = (
    _python("3.11", "bookworm", default=True),
    _python("3.13", "trixie"),
    _python("3.14", "forky"),
    _node("20", "bookworm", npm=10, default=True),
    _node("22", "bookworm", npm=10),
    _node("24", "bookworm", npm=11),
)
DEFAULTS = tuple(row.word for row in ROWS if row.default)
_BY_WORD: Mapping[str, Runtime] = {row.language: row for row in ROWS if row.default} | {row.name: row for row in ROWS}
WORDS = tuple(_BY_WORD)


def find(word: object) -> Runtime | None:
    return _BY_WORD.get(word) if isinstance(word, str) else None


def named(word: str) -> Runtime:
    """Raises KeyError."""
    return _BY_WORD[word]


def words_of(word: str) -> list[str]:
    """All that mean the same runtime. Raises KeyError."""
    return [other for other, row in _BY_WORD.items() if row is _BY_WORD[word]]


def default_entrypoint(word: object) -> str:
    """Empty where there is no such runtime."""
    row = find(word)
    return row.entrypoint if row else ""


def choices() -> list[tuple[str, str]]:
    """For the model: a function, so that a further row needs no migration."""
    return [(word, word) for word in WORDS]
