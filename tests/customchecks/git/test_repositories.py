"""Well-meant repositories: what a commit's archive holds, what is asked for, and who is asked."""

import base64
import os
import shutil
import ssl
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from customchecks.archives.script_archive import ArchiveRejected
from customchecks.git.connection import Remote
from customchecks.git.process import GitFailed, GitLimits, reason
from customchecks.git.repositories import Repositories
from tests.customchecks.git.server import GitServer, Origin
from tests.customchecks.git.watching import git_processes

TOKEN = "ghp_7Hq9Zw41xVe0mQ2s8LtB"
SCRIPT = 'print(\'{"status": "PENDING"}\')\n'


def test_a_branch_has_the_commit_that_was_pushed(repositories: Repositories, remote: Remote, origin: Origin) -> None:
    commit = origin.commit({"main.py": SCRIPT})
    assert repositories.commit_of(remote, "main") == commit


def test_a_tag_is_found_where_no_branch_has_its_name(
    repositories: Repositories, remote: Remote, origin: Origin
) -> None:
    commit = origin.commit({"main.py": SCRIPT})
    origin.git("tag", "-a", "v1", "-m", "x")
    origin.git("push", "-q", str(origin.bare), "v1")
    assert repositories.commit_of(remote, "v1") == commit


def test_a_commits_files_become_an_archive(repositories: Repositories, remote: Remote, origin: Origin) -> None:
    commit = origin.commit({"main.py": SCRIPT, "lib/a.py": "a = 1", "lib/ü.txt": b"\x00\xff"})
    archive = repositories.checkout(remote, commit=commit).archive
    assert [file.path for file in archive.files] == ["lib/a.py", "lib/ü.txt", "main.py"]
    assert archive.read("lib/ü.txt") == b"\x00\xff"
    assert archive.read("main.py").decode() == SCRIPT


def test_a_repository_with_sha256_numbers_is_read(repositories: Repositories, server: GitServer, served: Path) -> None:
    origin = Origin(served, "newer", object_format="sha256")
    commit = origin.commit({"main.py": SCRIPT})
    remote = Remote(url=server.url("newer"))
    assert (len(commit), repositories.commit_of(remote, "main")) == (64, commit)
    assert repositories.checkout(remote, commit=commit).archive.has("main.py")


def test_one_top_folder_is_not_stripped(repositories: Repositories, remote: Remote, origin: Origin) -> None:
    commit = origin.commit({"lib/main.py": SCRIPT})
    assert repositories.checkout(remote, commit=commit).archive.has("lib/main.py")


def test_a_folder_of_the_repository_is_taken_alone(repositories: Repositories, remote: Remote, origin: Origin) -> None:
    commit = origin.commit({"other.py": "x", "checks/nightly/main.py": SCRIPT})
    archive = repositories.checkout(remote, commit=commit, path="checks/nightly").archive
    assert [file.path for file in archive.files] == ["main.py"]


def test_a_folder_that_is_missing_is_said_so(repositories: Repositories, remote: Remote, origin: Origin) -> None:
    commit = origin.commit({"main.py": SCRIPT})
    with pytest.raises(GitFailed, match="no such folder"):
        repositories.checkout(remote, commit=commit, path="checks")


def test_a_missing_branch_is_named(repositories: Repositories, remote: Remote, origin: Origin) -> None:
    origin.commit({"main.py": SCRIPT})
    with pytest.raises(GitFailed, match="no branch or tag 'nightly'"):
        repositories.commit_of(remote, "nightly")


def test_a_missing_branch_is_told_with_those_that_there_are(
    repositories: Repositories, remote: Remote, origin: Origin
) -> None:
    origin.commit({"main.py": SCRIPT})
    with pytest.raises(GitFailed, match=r"no branch or tag 'nightly'\. Its branches: 'main'\."):
        repositories.commit_of(remote, "nightly")


def test_an_empty_repository_has_no_branch(repositories: Repositories, remote: Remote, origin: Origin) -> None:
    with pytest.raises(GitFailed, match="no branch or tag 'main'"):
        repositories.commit_of(remote, "main")


def test_an_empty_commit_is_rejected(repositories: Repositories, remote: Remote, origin: Origin) -> None:
    commit = origin.push()
    with pytest.raises(ArchiveRejected) as rejected:
        repositories.checkout(remote, commit=commit)
    assert rejected.value.code == "archive_empty"


def test_a_repository_that_is_missing_is_said_so(repositories: Repositories, server: GitServer) -> None:
    with pytest.raises(GitFailed, match="no repository at this URL"):
        repositories.commit_of(Remote(url=server.url("nothing")), "main")


def test_a_commit_that_is_here_is_not_fetched_again(
    repositories: Repositories, remote: Remote, origin: Origin, server: GitServer
) -> None:
    commit = origin.commit({"main.py": SCRIPT})
    first = repositories.checkout(remote, commit=commit)
    server.stop()
    assert repositories.checkout(remote, commit=commit) == first


def test_an_amended_and_forced_commit_is_fetched(repositories: Repositories, remote: Remote, origin: Origin) -> None:
    repositories.checkout(remote, commit=origin.commit({"main.py": "old"}))
    commit = origin.commit({"main.py": "new"}, force=True)
    assert repositories.commit_of(remote, "main") == commit
    assert repositories.checkout(remote, commit=commit).archive.read("main.py") == b"new"


def test_an_older_commit_can_be_fetched_by_its_number(
    repositories: Repositories, remote: Remote, origin: Origin
) -> None:
    old = origin.commit({"main.py": "old"})
    origin.commit({"main.py": "new"})
    assert repositories.checkout(remote, commit=old).archive.read("main.py") == b"old"


def test_a_commit_that_does_not_exist_is_said_so(repositories: Repositories, remote: Remote, origin: Origin) -> None:
    origin.commit({"main.py": SCRIPT})
    with pytest.raises(GitFailed, match="commit is gone"):
        repositories.checkout(remote, commit="1" * 40)


def test_many_checks_of_one_repository_do_not_meet(
    make_repositories: Callable[..., Repositories], origin: Origin, server: GitServer
) -> None:
    commits = [origin.commit({"main.py": f"v{number}"}) for number in range(4)] * 2
    remote = Remote(url=server.url())

    def read(commit: str) -> bytes:
        return make_repositories().checkout(remote, commit=commit).archive.read("main.py")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, commits)) == [f"v{number}".encode() for number in range(4)] * 2


def test_files_of_odd_kinds_are_refused_by_name(repositories: Repositories, remote: Remote, origin: Origin) -> None:
    (origin.folder / "link").symlink_to("/etc/passwd")
    commit = origin.commit({"main.py": SCRIPT})
    with pytest.raises(ArchiveRejected, match="Unsupported entry: 'link' is a symbolic link"):
        repositories.checkout(remote, commit=commit)


def test_a_submodule_is_refused_by_name(repositories: Repositories, remote: Remote, origin: Origin) -> None:
    origin.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},inner")
    commit = origin.push()
    with pytest.raises(ArchiveRejected, match="Unsupported entry: 'inner' is a submodule"):
        repositories.checkout(remote, commit=commit)


@pytest.mark.parametrize(
    ("files", "notes"),
    [
        ({"requirements.txt": "six"}, ["requirements.txt"]),
        ({"checks/pyproject.toml": "", "package.json": ""}, ["checks/pyproject.toml", "package.json"]),
        ({"requirements.txt": "six", "checks/nightly/requirements.txt": "six"}, []),
        ({"other/requirements.txt": "six"}, []),
    ],
)
def test_a_manifest_above_the_folder_is_reported(
    repositories: Repositories, remote: Remote, origin: Origin, files: dict[str, str], notes: list[str]
) -> None:
    commit = origin.commit({"checks/nightly/main.py": SCRIPT, **files})
    found = repositories.checkout(remote, commit=commit, path="checks/nightly").notes
    assert found == tuple(f"{name} stands above the folder and is no part of the script." for name in notes)


def test_what_is_not_fetched_is_reported(repositories: Repositories, remote: Remote, origin: Origin) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    commit = origin.commit({"main.py": SCRIPT, "data.bin": pointer, ".gitmodules": ""})
    notes = repositories.checkout(remote, commit=commit).notes
    assert notes == (
        "'data.bin' is a Git LFS pointer; its content is not fetched.",
        "The repository names submodules; they are not fetched.",
    )


def test_nothing_in_a_repository_is_run_or_substituted(
    repositories: Repositories, remote: Remote, origin: Origin, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    files = {
        "main.py": "$Format:%H$ $Id$",
        ".gitattributes": "* filter=evil export-subst ident diff=evil\n",
        ".gitconfig": f'[filter "evil"]\n\tsmudge = touch {ran}\n[core]\n\tfsmonitor = touch {ran}\n',
        ".lfsconfig": "[lfs]\n\turl = https://other.example.com/\n",
        ".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = file:///etc\n',
        "hooks/post-checkout": f"#!/bin/sh\ntouch {ran}\n",
    }
    commit = origin.commit(dict(files))
    archive = repositories.checkout(remote, commit=commit).archive
    assert archive.read("main.py") == b"$Format:%H$ $Id$"
    assert len(archive.files) == len(files)
    assert not ran.exists()


def test_the_cache_has_no_hooks_and_nobody_else_may_look_at_it(
    repositories: Repositories, remote: Remote, origin: Origin, cache: Path
) -> None:
    repositories.checkout(remote, commit=origin.commit({"main.py": SCRIPT}))
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert not (cache / remote.key / "hooks").exists()


def test_a_name_that_becomes_private_is_not_connected_to(
    make_repositories: Callable[..., Repositories], remote: Remote, server: GitServer
) -> None:
    from_inside = make_repositories(resolve=lambda host, port: [(0, 1, 6, "", ("10.1.2.3", port))])
    with pytest.raises(GitFailed, match="resolves to a private"):
        from_inside.commit_of(remote, "main")
    assert server.connections == 0


def test_capital_letters_do_not_lead_around_the_checked_address(
    repositories: Repositories, server: GitServer, origin: Origin
) -> None:
    commit = origin.commit({"main.py": SCRIPT})
    shouted = Remote(url=server.url(host="GIT.Example.COM"))
    assert repositories.checkout(shouted, commit=repositories.commit_of(shouted, "main")).commit == commit


def test_a_commit_that_could_not_be_had_is_left_alone_for_a_while(
    make_repositories: Callable[..., Repositories], remote: Remote, origin: Origin, server: GitServer
) -> None:
    origin.commit({"main.py": SCRIPT})
    patient, hasty = make_repositories(), make_repositories(limits=GitLimits(retry_seconds=0))
    for repositories, asked in ((patient, False), (hasty, True)):
        for _ in range(2):
            server.requests.clear()
            with pytest.raises(GitFailed, match="commit is gone"):
                repositories.checkout(remote, commit="1" * 40)
        assert bool(server.requests) is asked


def test_a_certificate_of_an_unknown_authority_is_refused(
    cache: Path, make_repositories: Callable[..., Repositories], remote: Remote, origin: Origin
) -> None:
    distrusting = make_repositories()
    distrusting._ca_bundle = ""
    with pytest.raises(GitFailed, match="certificate was not accepted"):
        distrusting.commit_of(remote, "main")


def test_a_certificate_that_has_expired_is_refused(
    repositories: Repositories, remote: Remote, tls: ssl.SSLContext, authority: trustme.CA
) -> None:
    authority.issue_cert("git.example.com", not_after=datetime.now(UTC) - timedelta(days=1)).configure_cert(tls)
    with pytest.raises(GitFailed, match="certificate was not accepted"):
        repositories.commit_of(remote, "main")


def test_a_certificate_for_another_name_is_refused(repositories: Repositories, server: GitServer) -> None:
    with pytest.raises(GitFailed, match="certificate was not accepted"):
        repositories.commit_of(Remote(url=server.url(host="third.example.com")), "main")


def test_git_gets_nothing_of_our_own_environment(
    repositories: Repositories, remote: Remote, origin: Origin, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = origin.commit({"main.py": SCRIPT})
    ours = {"TECKO_KEYS": "canary-7Hq9", "HTTPS_PROXY": "http://127.0.0.1:1", "GIT_SSL_CAINFO": "/nothing"}
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    seen: list[str] = []

    def look(handler: object) -> None:
        seen.extend((Path("/proc") / str(process.pid) / "environ").read_text() for process in git_processes())
        server._backend(handler)  # type: ignore[arg-type]

    server.behave = look
    assert repositories.commit_of(remote, "main") == commit
    assert any("GIT_ALLOW_PROTOCOL=https" in environment for environment in seen)
    assert not any(name in environment for environment in seen for name in ours)


@pytest.mark.parametrize("present", [(), ("env", "timeout", "prlimit")])
def test_a_host_without_git_is_said_so(
    repositories: Repositories, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, present: tuple[str]
) -> None:
    programs = {name: shutil.which(name) or "" for name in present}
    (tmp_path / "bin").mkdir()
    for name, program in programs.items():
        (tmp_path / "bin" / name).symlink_to(program)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(GitFailed, match="cannot be started on this host"):
        repositories.commit_of(remote, "main")


def basic(token: str) -> str:
    return f"Basic {base64.b64encode(token.encode()).decode()}"


# Names of their own: pytest's processes show that of the running test in their command line
@pytest.mark.parametrize(
    ("token", "sent"), [(TOKEN, f"x-access-token:{TOKEN}"), (f"bot:{TOKEN}", f"bot:{TOKEN}")], ids=["token", "user"]
)
def test_a_token_opens_a_private_repository(
    repositories: Repositories, server: GitServer, origin: Origin, token: str, sent: str
) -> None:
    commit = origin.commit({"main.py": SCRIPT})
    server.authorization = basic(sent)
    private = Remote(url=server.url(), token=token, credential="secret_ref:1")
    assert repositories.checkout(private, commit=repositories.commit_of(private, "main")).commit == commit


def test_without_a_token_nobody_is_asked_for_a_password(
    repositories: Repositories, remote: Remote, server: GitServer
) -> None:
    server.authorization = basic(TOKEN)
    began = time.monotonic()
    with pytest.raises(GitFailed, match="refused access"):
        repositories.commit_of(remote, "main")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "said",
    [
        "fatal: could not read Username for 'https://git.example.com': terminal prompts disabled",
        "fatal: unable to get password from user",  # Git 2.47, as Debian 13 has it
        "fatal: Authentication failed for 'https://git.example.com/x.git/'",
    ],
)
def test_each_version_of_gits_word_for_a_missing_token_is_understood(said: str) -> None:
    assert "refused access" in reason(said, code=128, limits=GitLimits())


@pytest.mark.parametrize("token", ["a b", "a\nb", "ü", ""])
def test_a_secret_that_is_no_token_is_not_sent(repositories: Repositories, server: GitServer, token: str) -> None:
    server.authorization = basic(TOKEN)
    with pytest.raises(GitFailed, match=r"not a token|refused access"):
        repositories.commit_of(Remote(url=server.url(), token=token), "main")


def command_lines() -> str:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and int(process.name) != os.getpid():
            try:
                found.append((process / "cmdline").read_bytes().decode(errors="replace"))
            except OSError:
                continue
    return "\n".join(found)


def test_a_token_is_in_no_command_line_and_not_in_the_cache(
    repositories: Repositories, server: GitServer, origin: Origin, cache: Path
) -> None:
    commit = origin.commit({"main.py": SCRIPT})
    server.authorization = basic(f"x-access-token:{TOKEN}")
    seen: list[str] = []

    def look(handler: object) -> None:
        seen.append(command_lines())
        server._backend(handler)  # type: ignore[arg-type]

    server.behave = look
    private = Remote(url=server.url(), token=TOKEN, credential="secret_ref:1")
    repositories.checkout(private, commit=repositories.commit_of(private, "main"))
    kept = b"".join(file.read_bytes() for file in cache.rglob("*") if file.is_file())
    written = [TOKEN, basic(f"x-access-token:{TOKEN}").removeprefix("Basic ")]
    assert len(seen) >= 3
    assert any("remote-https" in lines for lines in seen)  # a process may be between two programs when we look
    assert not any(word in lines for word in written for lines in seen)
    assert not any(word.encode() in kept for word in written)
    assert commit


def test_a_repository_that_is_not_used_any_more_is_removed_and_one_that_is_stays(
    repositories: Repositories, remote: Remote, origin: Origin, cache: Path
) -> None:
    repositories.checkout(remote, commit=origin.commit({"main.py": SCRIPT}))
    later = datetime.now(UTC) + timedelta(days=31)
    assert repositories.cache.forget_unused(datetime.now(UTC)) == 0
    with repositories.cache.locked(remote.key, until=0):
        assert repositories.cache.forget_unused(later) == 0
    assert repositories.cache.forget_unused(later) == 1
    assert not (cache / remote.key).exists()


def test_all_repositories_together_take_no_more_than_their_share_of_the_disk(
    make_repositories: Callable[..., Repositories], origin: Origin, server: GitServer, cache: Path
) -> None:
    commit = origin.commit({"main.py": os.urandom(700_000)})
    repositories = make_repositories(limits=GitLimits(cache_mb=2))
    remotes = [Remote(url=server.url(), credential=str(number)) for number in range(4)]
    for age, remote in enumerate(reversed(remotes)):
        repositories.checkout(remote, commit=commit)
        os.utime(cache / remote.key, (time.time() + age, time.time() + age))
    kept = [remote for remote in remotes if (cache / remote.key).exists()]
    assert kept == remotes[:2]
