"""Base images for an engine that no registry answers: one Debian for both runtimes, and Node on top of it."""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from customchecks import debian, node_packages
from customchecks.debian import NoBase, Progress
from customchecks.engine import Engine, NotFound

REPOSITORY = "teckochecker/base"
RECIPE = "1"  # part of every runner image's recipe: raise it when what is made here changes
TAGS = {
    "python": f"{debian.SUITE}-{RECIPE}",
    "node": f"{debian.SUITE}-node-{node_packages.NODE_MAJOR}-{RECIPE}",
}
NODE_DOCKERFILE = b"ARG BASE\nFROM ${BASE}\nCOPY usr /usr\n"

# Bulk that no script needs; and whatever tells of the machine that made the image
LEFT_OUT = (
    *("./dev/*", "./proc/*", "./sys/*", "./tmp/*", "./run/*"),
    *("./etc/apt/sources.list", "./etc/hostname", "./etc/resolv.conf", "./var/log/*"),
    *("./var/cache/apt/*", "./var/cache/debconf/*", "./var/lib/apt/lists/*"),
    *(f"./usr/share/{name}/*" for name in ("bash-completion", "doc", "info", "lintian", "locale", "man")),
    # Installs go where uv is told to put them; the official images have no such marker either
    "./usr/lib/python3*/EXTERNALLY-MANAGED",
)


class OfflineBase:
    """``folder`` holds what is unpacked meanwhile, about 400 MB, and is gone afterwards."""

    def __init__(
        self,
        engine: Engine,
        *,
        folder: Path,
        npm_environ: Mapping[str, str],
        progress: Progress,
        repository: str = REPOSITORY,
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._npm_environ = npm_environ
        self._progress = progress
        self._repository = repository

    def reference(self, runtime: str) -> str:
        return f"{self._repository}:{TAGS[runtime]}"

    def there(self, runtime: str) -> bool:
        try:
            self._engine.image(self.reference(runtime))
        except NotFound:
            return False
        return True

    def make_debian(self) -> None:
        """Raises EngineError with the remedy."""
        with _scratch(self._folder) as folder:
            root = folder / "root"
            debian.bootstrap(root, progress=self._progress)
            (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
            self._progress("Importing the base image")
            self._import(root)

    def make_node(self) -> None:
        """Needs the Debian one. Raises EngineError with the remedy."""
        self._progress(f"Node {node_packages.NODE_MAJOR} and npm {node_packages.NPM_MAJOR} from npm packages")
        with _scratch(self._folder) as folder, tempfile.TemporaryFile(dir=folder) as context:
            node, npm = node_packages.fetch(folder, environ=self._npm_environ)
            with tarfile.open(fileobj=context, mode="w") as tar:
                dockerfile = tarfile.TarInfo("Dockerfile")
                dockerfile.size = len(NODE_DOCKERFILE)
                tar.addfile(dockerfile, io.BytesIO(NODE_DOCKERFILE))
                node_packages.add(tar, node=node, npm=npm)
            context.seek(0)
            self._engine.build_image(
                context,
                tag=self.reference("node"),
                arguments={"BASE": self.reference("python")},
                labels={},
                progress=lambda _line: None,
            )

    def _import(self, root: Path) -> None:
        excludes = [f"--exclude={pattern}" for pattern in LEFT_OUT]
        options = ["--numeric-owner", "--one-file-system", "--anchored", *excludes]
        argv = ["tar", "--create", *options, "--directory", str(root), "."]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            if process.stdout is not None:
                self._engine.import_image(process.stdout, repository=self._repository, tag=TAGS["python"], changes=[])
        if process.returncode:
            self._engine.remove_image(self.reference("python"))
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
