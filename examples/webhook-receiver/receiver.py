#!/usr/bin/env python3
"""Shows the webhooks that arrive on this machine. Standard library only; for trying things out, not for production."""

import argparse
import json
from collections import deque
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

MAX_BODY = 1024 * 1024
received: deque = deque(maxlen=1000)


class Receiver(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/webhooks":
            self._answer({"total": len(received), "webhooks": list(received)})
        else:
            self._keep(dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True)))

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        if length > MAX_BODY:
            self._answer({"error": "The body is too long"}, code=413)
            return
        body = self.rfile.read(length)
        if urlsplit(self.path).path == "/webhooks/clear":
            received.clear()
            self._answer({"status": "cleared"})
            return
        try:
            self._keep(json.loads(body))
        except ValueError:
            self._answer({"error": "The body is not JSON"}, code=400)

    do_PUT = do_PATCH = do_DELETE = do_POST

    def _keep(self, data: object) -> None:
        fields = data if isinstance(data, dict) else {}
        webhook_id = self.headers.get("webhook-id", "")
        received.append(
            {
                "received_at": datetime.now(UTC).isoformat(),
                "method": self.command,
                "path": self.path,
                "webhook_id": webhook_id,
                "data": data,
            }
        )
        status = fields.get("check_status", fields.get("status"))
        job = fields.get("job_name", fields.get("group_name", fields.get("job_id")))
        print(
            f"{self.command} {urlsplit(self.path).path}  job={job!r}  status={status!r}  webhook-id={webhook_id!r}",
            flush=True,
        )
        self._answer({"status": "received"})

    def _answer(self, content: object, *, code: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """One line per webhook is enough."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=5000)
    server = ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Receiver)
    print(f"Waiting for webhooks on http://127.0.0.1:{server.server_port}/webhook", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
