"""What the offline base is made of: the mirror that apt names, and npm packages laid out as files."""

import io
import shutil
import tarfile
from pathlib import Path

import pytest

from customchecks.images import debian, npm_packages, runtimes
from customchecks.images.debian import NoBase

needs_apt = pytest.mark.skipif(not shutil.which("apt-get"), reason="apt is Debian's")


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder that apt reads its sources from."""
    folder = tmp_path / "sources"
    folder.mkdir()
    config = tmp_path / "apt.conf"
    config.write_text(f'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "{folder}";\n')
    monkeypatch.setenv("APT_CONFIG", str(config))
    return folder


@needs_apt
def test_the_mirror_is_that_of_a_one_line_source(sources: Path) -> None:
    lines = (
        "deb [trusted=yes] http://other.test/tools bookworm main\ndeb http://mirror.test/debian/ trixie main contrib\n"
    )
    (sources / "a.list").write_text(f"{lines}deb http://security.test/debian-security trixie-security main\n")
    assert debian.find_mirror() == "http://mirror.test/debian"


@needs_apt
def test_the_mirror_is_that_of_a_deb822_source(sources: Path) -> None:
    off = "Types: deb\nEnabled: no\nURIs: http://off.test/debian\nSuites: bookworm\nComponents: main\n\n"
    on = "Types: deb\nURIs: https://mirror.test:8443/pub/debian\nSuites: bookworm bookworm-updates\nComponents: main\n"
    (sources / "a.sources").write_text(off + on)
    assert debian.find_mirror() == "https://mirror.test:8443/pub/debian"


@needs_apt
def test_the_mirror_may_stand_in_a_list_of_mirrors(sources: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("# near\n\nhttp://near.test/debian/\tpriority:1\nhttp://far.test/debian\n")
    (sources / "a.list").write_text(f"deb mirror+file:{tmp_path / 'list'} bookworm main\n")
    assert debian.find_mirror() == "http://near.test/debian"


@needs_apt
@pytest.mark.parametrize(
    "line", ["", "deb http://other.test/ubuntu jammy main\n", "deb mirror+file:/nowhere sid main\n"]
)
def test_without_a_debian_archive_the_remedy_is_a_base_of_ones_own(sources: Path, line: str) -> None:
    (sources / "a.list").write_text(line)
    with pytest.raises(NoBase, match="TECKO_PYTHON_BASE"):
        debian.find_mirror()


def package(path: Path, *names: str) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(f"package/{name}")
            member.size, member.uid, member.mode = len(name), 1234, 0o600
            tar.addfile(member, io.BytesIO(name.encode()))
    return path


def test_npm_packages_become_programs_of_root(tmp_path: Path) -> None:
    node = package(tmp_path / "node.tgz", "bin/node", "include/node.h")
    npm = package(tmp_path / "npm.tgz", "bin/npm-cli.js", "lib/npm.js", "docs/npm.html")
    with tarfile.open(tmp_path / "out.tar", "w") as tar:
        for wanted, file in zip(runtimes.named("node").npm_packages, (node, npm), strict=True):
            npm_packages.add(tar, wanted, file)
        found = {member.name.removeprefix("usr/local/"): member for member in tar.getmembers()}
    programs, place = ["bin/node", "lib/node_modules/npm/bin/npm-cli.js"], "lib/node_modules/npm/lib/npm.js"
    assert sorted(found) == ["bin/node", "bin/npm", "bin/npx", programs[1], place]
    assert [oct(found[name].mode) for name in [*programs, place]] == ["0o755", "0o755", "0o644"]
    assert {member.uid for member in found.values()} == {0}
    assert found["bin/npx"].linkname == "../lib/node_modules/npm/bin/npx-cli.js"


def test_without_npm_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoBase, match=r"Remedy: sudo apt-get install .* npm"):
        npm_packages.fetch(runtimes.named("node").npm_packages[0], tmp_path, progress=print)
