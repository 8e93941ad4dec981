"""A program that stands for the operator's container: serves its probes, and logs what it was started with."""

from __future__ import annotations

import http.server
import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType


class Probes(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path in {"/healthz", "/readyz"} else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


def main() -> None:
    signal.signal(signal.SIGTERM, _end)
    with http.server.HTTPServer(("127.0.0.1", int(os.environ["CFMTLS_SERVER_PORT"])), Probes) as server:
        config = Path(sys.argv[-1])
        started = {"arguments": sys.argv[1:], "environment": dict(os.environ), "config": config.read_text()}
        sys.stdout.write(json.dumps(started) + "\n")
        sys.stdout.flush()
        server.serve_forever()


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(7)


if __name__ == "__main__":
    main()
