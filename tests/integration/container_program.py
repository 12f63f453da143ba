"""What a container runs in tests of probes and hooks: an HTTP server that is told how to answer.

`GET /say/CODE/PATH` makes `GET /PATH` answer CODE from now on; before, every path answers 200 but the one of
the variable NOT_YET, which answers 503. Each request is a line of the log. SIGTERM is a line too, and the
end.
"""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CODES = {os.environ.get("NOT_YET", ""): 503}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        print(self.path, flush=True)
        code = CODES.get(self.path, 200)
        if self.path.startswith("/say/"):
            _, _, said, path = self.path.split("/", 3)
            CODES[f"/{path}"] = int(said)
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Requests are logged by do_GET."""


def end(number: int, frame: object) -> None:
    print("SIGTERM", flush=True)
    os._exit(int(os.environ.get("EXIT_CODE", "0")))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)
    ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
