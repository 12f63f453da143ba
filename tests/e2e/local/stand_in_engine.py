"""An engine as local mode starts it, without a model: takes the spec on standard input, tells its port,
answers.

The spec's environment chooses what it does: STAND_IN=dies, mute (never tells a port), loading (answers 503
for ever), refuses (answers 400), or anything else to serve. RUNNING_FILE names a file; as long as it
exists, one request is said to run.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar


class Handler(BaseHTTPRequestHandler):
    status: ClassVar[int] = 200
    running_file: ClassVar[str] = ""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self._answer(self.status, b'{"choices": []}' if self.status == 200 else b'{"error": "not now"}')

    def do_GET(self) -> None:
        if self.path == "/health":
            self._answer(200, b'{"status":"ok"}')
            return
        running = int(bool(self.running_file) and Path(self.running_file).exists())
        text = f"llamacpp:requests_processing {running}\nllamacpp:requests_deferred 0\n"
        self._answer(200, text.encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the log is for what the tests look for."""


def main() -> None:
    spec = json.load(sys.stdin)
    behaviour = os.environ.get("STAND_IN", "serves")
    if behaviour == "dies":
        print("0.00.000.001 I srv: starting", file=sys.stderr)
        print("0.00.000.002 E srv: the model file is damaged", file=sys.stderr)
        raise SystemExit(3)
    Handler.status = {"loading": 503, "refuses": 400}.get(behaviour, 200)
    Handler.running_file = os.environ.get("RUNNING_FILE", "")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if behaviour != "mute":
        with os.fdopen(spec["tell"], "w") as tell:
            json.dump({"port": server.server_address[1]}, tell)
    server.serve_forever()


if __name__ == "__main__":
    main()
