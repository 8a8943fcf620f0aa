"""Base images for an engine that no registry answers: a Debian for each suite, and on it the programs that it lacks."""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from customchecks.docker.engine import Engine
from customchecks.images import debian, npm_packages
from customchecks.images.debian import NoBase, Progress
from customchecks.images.runtimes import Runtime

REPOSITORY = "teckochecker/base"
RECIPE = "1"  # part of every runner image's recipe: raise it when what is made here changes
PROGRAMS_DOCKERFILE = b"ARG BASE\nFROM ${BASE}\nCOPY usr /usr\n"

# Bulk that no script needs; and whatever tells of the machine that made the image
LEFT_OUT = (
    *("./dev/*", "./proc/*", "./sys/*", "./tmp/*", "./run/*"),
    *("./etc/apt/sources.list", "./etc/hostname", "./etc/resolv.conf", "./var/log/*"),
    *("./var/cache/apt/*", "./var/cache/debconf/*", "./var/lib/apt/lists/*"),
    *(f"./usr/share/{name}/*" for name in ("bash-completion", "doc", "info", "lintian", "locale", "man")),
    # Installs go where uv is told to put them; the official images have no such marker either
    "./usr/lib/python3*/EXTERNALLY-MANAGED",
)


def debian_tag(runtime: Runtime) -> str:
    return f"{runtime.suite}-{RECIPE}"


def programs_tag(runtime: Runtime) -> str:
    return f"{runtime.suite}-{runtime.name}-{RECIPE}"


class OfflineBase:
    """Makes them. ``folder`` holds what is unpacked meanwhile, about 400 MB, and is gone afterwards."""

    def __init__(
        self,
        engine: Engine,
        *,
        folder: Path,
        progress: Progress,
        repository: str = REPOSITORY,
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._progress = progress
        self._repository = repository

    def steps(self, runtime: Runtime) -> Mapping[str, Callable[[], None]]:
        """References to the images that are made one on top of the other, and what makes each."""
        found: dict[str, Callable[[], None]] = {
            self._reference(debian_tag(runtime)): partial(self._make_debian, runtime)
        }
        if runtime.npm_packages:
            found[self.reference(runtime)] = partial(self._add_programs, runtime)
        return found

    def reference(self, runtime: Runtime) -> str:
        return self._reference(programs_tag(runtime) if runtime.npm_packages else debian_tag(runtime))

    def _reference(self, tag: str) -> str:
        return f"{self._repository}:{tag}"

    def _make_debian(self, runtime: Runtime) -> None:
        """Raises EngineError with the remedy."""
        with _scratch(self._folder) as folder:
            root = folder / "root"
            debian.bootstrap(root, runtime.suite, progress=self._progress)
            (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
            self._progress("Importing the base image")
            self._import(root, debian_tag(runtime))

    def _add_programs(self, runtime: Runtime) -> None:
        """Needs the Debian one. Raises EngineError with the remedy."""
        with _scratch(self._folder) as folder, tempfile.TemporaryFile(dir=folder) as context:
            with tarfile.open(fileobj=context, mode="w") as tar:
                dockerfile = tarfile.TarInfo("Dockerfile")
                dockerfile.size = len(PROGRAMS_DOCKERFILE)
                tar.addfile(dockerfile, io.BytesIO(PROGRAMS_DOCKERFILE))
                for package in runtime.npm_packages:
                    self._progress(f"npm package {package.name}@{package.version}")
                    npm_packages.add(tar, package, npm_packages.fetch(package, folder, progress=self._progress))
            context.seek(0)
            self._engine.build_image(
                context,
                tag=self.reference(runtime),
                arguments={"BASE": self._reference(debian_tag(runtime))},
                labels={},
                progress=lambda _line: None,
            )

    def _import(self, root: Path, tag: str) -> None:
        excludes = [f"--exclude={pattern}" for pattern in LEFT_OUT]
        options = ["--numeric-owner", "--one-file-system", "--anchored", *excludes]
        argv = ["tar", "--create", *options, "--directory", str(root), "."]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            if process.stdout is not None:
                self._engine.import_image(process.stdout, repository=self._repository, tag=tag, changes=[])
        if process.returncode:
            self._engine.remove_image(self._reference(tag))
            raise NoBase(f"The root file system could not be read whole: tar ended with code {process.returncode}.")


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Empty at first and gone afterwards; what a killed run left mounted below it is not touched."""
    remove = ["rm", "-rf", "--one-file-system", str(folder)]
    debian.run(remove)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        debian.run(remove)
