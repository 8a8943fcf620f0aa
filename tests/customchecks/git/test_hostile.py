"""Servers and repositories that mean harm end within their limits, with a reason, and leave nothing behind."""

import contextlib
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from customchecks.archives.script_archive import ArchiveRejected
from customchecks.git.connection import Remote
from customchecks.git.process import GitFailed, GitLimits
from customchecks.git.repositories import Repositories
from tests.customchecks.git import hostile
from tests.customchecks.git.server import Behaviour, GitServer, Origin
from tests.customchecks.git.watching import MB, git_processes, watching
from tests.security import boxes

COMMIT = "1" * 40
SECOND = GitLimits(ask_seconds=1, seconds=1.5)
Make = Callable[..., Repositories]


@pytest.fixture
def other(tmp_path: Path, tls: ssl.SSLContext) -> Iterator[GitServer]:
    server = GitServer(tmp_path / "served", tls)
    yield server
    server.stop()


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(hostile.silent, id="silent"),
        pytest.param(lambda handler: hostile.send(handler, hostile.ADVERTISEMENT, hostile.dripping()), id="dripping"),
        pytest.param(hostile.protocol(refs=hostile.dripping()), id="dripping refs"),
    ],
)
def test_a_slow_server_is_left_in_time(
    make_repositories: Make, remote: Remote, server: GitServer, behave: Behaviour
) -> None:
    server.behave = behave
    with watching() as watched, pytest.raises(GitFailed, match="did not answer in time"):
        make_repositories(limits=SECOND).commit_of(remote, "main")
    assert watched.seconds < 2.5
    assert git_processes() == []


def test_refs_without_end_are_left_in_time(make_repositories: Make, remote: Remote, server: GitServer) -> None:
    server.behave = hostile.protocol(refs=hostile.endless_refs())
    with watching() as watched, pytest.raises(GitFailed, match=r"in time|memory"):
        make_repositories(limits=GitLimits(ask_seconds=4)).commit_of(remote, "main")
    print(f"endless refs: {watched.seconds:.1f} s, {watched.most_mb:.0f} MB")
    assert watched.seconds < 6
    assert watched.most_mb < 600
    assert git_processes() == []


@pytest.mark.parametrize("compressed", [False, True])
def test_an_advertisement_without_end_is_left_in_time(
    make_repositories: Make, remote: Remote, server: GitServer, compressed: bool
) -> None:
    server.behave = hostile.endless_advertisement(compressed=compressed)
    with watching() as watched, pytest.raises(GitFailed, match=r"in time|memory"):
        make_repositories(limits=GitLimits(ask_seconds=10)).commit_of(remote, "main")
    print(f"endless advertisement: {watched.seconds:.1f} s, {watched.most_mb:.0f} MB")
    assert watched.most_mb < 600
    assert git_processes() == []


def test_a_small_pack_of_a_very_large_file_ends_within_the_memory(
    repositories: Repositories, remote: Remote, server: GitServer, cache: Path
) -> None:
    server.behave = hostile.protocol(pack=hostile.delta_bomb(15))
    with watching() as watched, pytest.raises(GitFailed):
        repositories.checkout(remote, commit=COMMIT)
    print(f"2 GB from a small pack: {watched.seconds:.1f} s, {watched.most_mb:.0f} MB")
    assert 100 < watched.most_mb < 600
    assert files(cache) == []
    assert git_processes() == []


def test_half_a_million_refs_are_looked_through(repositories: Repositories, remote: Remote, server: GitServer) -> None:
    server.behave = hostile.protocol(refs=hostile.many_refs(500_000))
    with watching() as watched:
        assert repositories.commit_of(remote, "499999") == f"{500_000:040x}"
    print(f"500,000 refs: {watched.seconds:.1f} s, {watched.most_mb:.0f} MB")
    assert watched.seconds < 20
    assert watched.most_mb < 600


def test_a_pack_without_end_is_cut_at_the_limit_of_a_file(
    repositories: Repositories, remote: Remote, server: GitServer, cache: Path
) -> None:
    sent: list[int] = []
    server.behave = hostile.protocol(pack=hostile.endless_pack(sent))
    with watching() as watched, pytest.raises(GitFailed, match="larger than 64 MB"):
        repositories.checkout(remote, commit=COMMIT)
    print(f"endless pack: {watched.seconds:.1f} s, {watched.most_mb:.0f} MB")
    assert 64 * MB < sum(sent) < 80 * MB
    assert watched.seconds < 60
    assert watched.most_mb < 600
    assert files(cache) == []
    assert git_processes() == []


def test_a_fetch_that_takes_too_long_leaves_nothing(
    make_repositories: Make, remote: Remote, server: GitServer, cache: Path
) -> None:
    server.behave = hostile.protocol(pack=hostile.dripping())
    with watching() as watched, pytest.raises(GitFailed, match="did not answer in time"):
        make_repositories(limits=SECOND).checkout(remote, commit=COMMIT)
    assert watched.seconds < 3
    assert files(cache) == []


def test_a_large_file_that_compresses_well_is_refused_by_its_size(
    repositories: Repositories, remote: Remote, origin: Origin
) -> None:
    with (origin.folder / "zeros").open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    origin.git("config", "core.bigFileThreshold", "1m")
    commit = origin.commit({"main.py": ""})
    with watching() as watched, pytest.raises(ArchiveRejected) as rejected:
        repositories.checkout(remote, commit=commit)
    print(f"200 MB of zeros: {watched.seconds:.1f} s, {watched.most_mb:.0f} MB")
    assert rejected.value.code == "archive_file_too_large"
    assert watched.most_mb < 600


def test_a_tree_of_ten_thousand_million_paths_is_refused_by_its_number(
    repositories: Repositories, remote: Remote, origin: Origin
) -> None:
    (origin.folder / "f").write_text("x")
    tree = f"100644 blob {origin.git('hash-object', '-w', 'f')}\tf"
    for _ in range(10):
        made = origin.make_tree("\n".join(tree.replace("\tf", f"\t{name}") for name in range(10)))
        tree = f"040000 tree {made}\tf"
    commit = origin.git("commit-tree", "-m", "x", made)
    origin.git("push", "-q", str(origin.bare), f"{commit}:refs/heads/main")
    with watching() as watched, pytest.raises(ArchiveRejected) as rejected:
        repositories.checkout(remote, commit=commit)
    print(f"10^10 paths: {watched.seconds:.1f} s, {watched.most_mb:.0f} MB")
    assert rejected.value.code == "archive_too_many"
    assert git_processes() == []


def test_what_is_above_the_quota_is_used_once_and_not_kept(
    make_repositories: Make, remote: Remote, origin: Origin, cache: Path
) -> None:
    commit = origin.commit({"main.py": "x"})
    assert make_repositories(limits=GitLimits(quota_mb=0)).checkout(remote, commit=commit).archive.has("main.py")
    assert files(cache) == []


@pytest.mark.parametrize("target", ["https://other.example.com", "https://git.example.com", "http://git.example.com"])
def test_a_redirect_to_another_place_is_not_followed(
    repositories: Repositories, server: GitServer, other: GitServer, origin: Origin, target: str
) -> None:
    origin.commit({"main.py": "x"})
    server.behave = hostile.redirect(f"{target}:{other.port}")
    private = Remote(url=server.url(), token="ghp_7Hq9Zw41xVe0mQ2s8LtB", credential="secret_ref:1")
    with pytest.raises(GitFailed, match="redirects to another place"):
        repositories.commit_of(private, "main")
    assert server.connections > 0
    assert other.connections == 0


def test_a_redirect_to_itself_is_no_loop(repositories: Repositories, server: GitServer, remote: Remote) -> None:
    server.behave = hostile.redirect(f"https://git.example.com:{server.port}")
    with pytest.raises(GitFailed, match="redirects to another place"):
        repositories.commit_of(remote, "main")
    assert server.connections == 1


def test_objects_that_lie_on_another_host_are_not_fetched(
    repositories: Repositories, server: GitServer, other: GitServer, remote: Remote, cache: Path
) -> None:
    server.behave = hostile.dumb(f"https://other.example.com:{other.port}/checker.git/objects", COMMIT)
    with pytest.raises(GitFailed, match="dumb protocol"):
        repositories.checkout(remote, commit=COMMIT)
    assert other.connections == 0
    assert files(cache) == []


@pytest.mark.usefixtures("processes")
def test_git_does_not_outlive_a_killed_worker_for_long() -> None:
    code = """if True:
        import sys, time
        from customchecks.git.process import GitCommand, GitLimits
        GitCommand(words=["ls-remote", sys.argv[1]], limits=GitLimits(), until=time.monotonic() + 1).run()
    """
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/x"
        worker = subprocess.Popen([sys.executable, "-c", code, url], stderr=subprocess.DEVNULL)
        boxes.wait_for(lambda: "git-remote-https" in command_lines(url))
        worker.kill()
        worker.wait()
        boxes.wait_for(lambda: command_lines(url) == "", seconds=6)


def command_lines(word: str) -> str:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            found.append(" ".join(process.cmdline()))
    return "\n".join(line for line in found if word in line)


@pytest.mark.parametrize("separator", [b" ", b"\n", b"\r", b"\x0b", b"\x0c", b"\x1c", b"\xc2\x85", b"\xe2\x80\xa8"])
@pytest.mark.parametrize("begin", [b"ERR ", b"\x02", b"\x03"], ids=["error", "progress", "fatal"])
def test_words_of_the_server_are_not_shown(
    repositories: Repositories, remote: Remote, server: GitServer, begin: bytes, separator: bytes
) -> None:
    said = [hostile.line(begin + b"<b>\x1b[31mcall" + separator + b"fatal: 555-1234\n")]
    server.behave = hostile.protocol(refs=said, pack=[hostile.line(b"packfile\n"), *said])
    for ask in (lambda: repositories.commit_of(remote, "main"), lambda: repositories.checkout(remote, commit=COMMIT)):
        with pytest.raises(GitFailed) as failed:
            ask()
        assert "\x1b" not in str(failed.value)
        assert "555" not in str(failed.value)


@pytest.mark.parametrize(
    "name", [b"..", b".", b".git", b".GIT", b"git~1", b"a/b", b"-x", b"a\\b", b"\xff", b"a\nb", b"x" * 5000], ids=repr
)
def test_a_name_that_leads_elsewhere_is_refused_and_git_ends(
    repositories: Repositories, remote: Remote, origin: Origin, name: bytes
) -> None:
    commit = origin.commit_tree([(b"100644", b"main.py"), (b"100644", name)])
    with pytest.raises((GitFailed, ArchiveRejected)) as refused:
        repositories.checkout(remote, commit=commit)
    assert "larger than" not in str(refused.value)
    assert git_processes() == []


def test_names_that_differ_only_in_case_are_refused(repositories: Repositories, remote: Remote, origin: Origin) -> None:
    commit = origin.commit({"main.py": "x", "Main.py": "y"})
    with pytest.raises(ArchiveRejected, match="differ only in case"):
        repositories.checkout(remote, commit=commit)


@pytest.mark.parametrize("mode", [b"160000", b"120000", b"777777", b"1", b"40000"], ids=repr)
def test_an_entry_of_an_odd_mode_is_refused(
    repositories: Repositories, remote: Remote, origin: Origin, mode: bytes
) -> None:
    commit = origin.commit_tree([(b"100644", b"main.py"), (mode, b"odd")])
    with pytest.raises((GitFailed, ArchiveRejected)):
        repositories.checkout(remote, commit=commit)


def test_what_was_refused_leaves_no_process_while_its_error_is_kept(
    repositories: Repositories, remote: Remote, origin: Origin
) -> None:
    commit = origin.commit({"main.py": "x", "a\\b": "x"})
    with pytest.raises(ArchiveRejected) as rejected:
        repositories.checkout(remote, commit=commit)
    assert git_processes() == []  # while somebody still holds the error
    with pytest.raises(GitFailed, match="backslash"):
        repositories.checkout(remote, commit=commit)
    assert rejected


def files(cache: Path) -> list[str]:
    return [path.name for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"]
