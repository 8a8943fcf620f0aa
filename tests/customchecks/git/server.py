"""A Git server on the loopback: HTTPS with a certificate of its own authority, Git's own CGI behind it."""

import contextlib
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

AUTHOR = {
    **{f"GIT_{role}_NAME": "a" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_EMAIL": "a@example.com" for role in ("AUTHOR", "COMMITTER")},
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


class Origin:
    """A repository with its working folder, which is served as ``/<name>.git``."""

    def __init__(self, root: Path, name: str = "checker", object_format: str = "sha1") -> None:
        self.folder = root / f"{name}.work"
        self.bare = root / f"{name}.git"
        kind = f"--object-format={object_format}"
        self._git("init", "-q", kind, "-b", "main", str(self.folder), inside=False)
        self._git("init", "-q", kind, "--bare", "-b", "main", str(self.bare), inside=False)

    def commit(self, files: dict[str, str | bytes], *, branch: str = "main", force: bool = False) -> str:
        """Adds files and pushes; the commit's number."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "-A", "--force")
        return self.push(branch=branch, force=force)

    def push(self, *, branch: str = "main", force: bool = False) -> str:
        self.git("commit", "-q", "--allow-empty", "-m", "x", *(["--amend"] if force else []))
        self.git("push", "-q", *(["--force"] if force else []), str(self.bare), f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")

    def git(self, *words: str) -> str:
        return self._git(*words)

    def make_tree(self, listing: str) -> str:
        return self._git("mktree", stdin=listing)

    def commit_tree(self, entries: list[tuple[bytes, bytes]]) -> str:
        """Entries of one folder, by mode and name, as Git itself would not make them; the commit's number."""
        blob = bytes.fromhex(self._git("hash-object", "-w", "--stdin", stdin="x"))
        tree = b"".join(b"%s %s\0%s" % (*entry, blob) for entry in entries)
        made = self._git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=tree)
        commit = self._git("commit-tree", "-m", "x", made)
        shutil.copytree(self.folder / ".git/objects", self.bare / "objects", dirs_exist_ok=True)
        (self.bare / "refs/heads/main").write_text(f"{commit}\n")
        return commit

    def _git(self, *words: str, inside: bool = True, stdin: str | bytes = "") -> str:
        where = ["-C", str(self.folder)] if inside else []
        env = {"PATH": os.environ["PATH"], **AUTHOR}
        given = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(["git", *where, *words], env=env, input=given, check=True, capture_output=True)
        return done.stdout.decode().strip()


Behaviour = Callable[[BaseHTTPRequestHandler], None]


class GitServer:
    """``behave``, where it is set, answers instead of Git. ``token`` is asked for where it is set."""

    def __init__(self, root: Path, tls: ssl.SSLContext) -> None:
        self.root = root
        self.connections = 0
        self.requests: list[tuple[str, str]] = []
        self.behave: Behaviour | None = None
        self.authorization: str | None = None
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self) -> Any:
                connection, address = super().get_request()
                server.connections += 1
                connection.settimeout(30)
                return tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

            def shutdown_request(self, request: Any) -> None:
                with contextlib.suppress(OSError, ValueError):
                    request.unwrap()
                super().shutdown_request(request)

            def handle_error(self, *_: object) -> None:
                pass  # clients go away in the middle of things

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, name: str = "checker", host: str = "git.example.com") -> str:
        return f"https://{host}:{self.port}/{name}.git"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append((handler.command, handler.path))
        given = handler.headers.get("Authorization")
        if self.authorization is not None and given != self.authorization:
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", 'Basic realm="git"')
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        elif self.behave is not None:
            self.behave(handler)
        else:
            self._backend(handler)

    def _backend(self, handler: BaseHTTPRequestHandler) -> None:
        path, _, query = handler.path.partition("?")
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": handler.command,
            "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
            "HTTP_GIT_PROTOCOL": handler.headers.get("Git-Protocol", ""),
            "CONTENT_LENGTH": str(len(body)),
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        handler.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
