"""The node's own HTTPS API, as far as `kubectl logs` asks it by way of the API server.

Only a client with a certificate of the cluster's authority is let in, as the API server has one.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from tests.support.certificates import ServerCertificate

_LOOK_AGAIN_SECONDS = 0.2
_PIECE_BYTES = 64 * 1024

FindLog = Callable[[str, str, str, bool], Path | None]
"""The log of a container by namespace, pod, container, and whether of its former run; None for no such."""


class NodeApi:
    """Serves on a free port of the loopback address until it is stopped."""

    def __init__(self, certificate: ServerCertificate, authority_pem: bytes, find_log: FindLog) -> None:
        self.port = 0
        self._context = certificate.server_context()
        self._context.load_verify_locations(cadata=authority_pem.decode())
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._find_log = find_log
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._context).start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        names = request.match_info
        previous = request.query.get("previous") == "true"
        path = self._find_log(names["namespace"], names["pod"], names["container"], previous)
        if path is None or not path.exists():
            return web.Response(status=404, text=f"container {names['container']!r} has no log\n")
        answer = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await answer.prepare(request)
        with path.open("rb") as log:
            log.seek(_tail_begins(path, int(request.query.get("tailLines", "-1"))))
            while True:
                piece = log.read(_PIECE_BYTES)
                if piece:
                    await answer.write(piece)
                elif request.query.get("follow") != "true":
                    break
                elif self._find_log(names["namespace"], names["pod"], names["container"], previous) != path:
                    break  # it runs anew, or not any more
                else:
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        await answer.write_eof()
        return answer


def _tail_begins(path: Path, lines: int) -> int:
    """Where the last so many lines begin; negative: all."""
    if lines < 0:
        return 0
    kept = path.read_bytes().splitlines(keepends=True)[-lines:] if lines else []
    return path.stat().st_size - sum(len(line) for line in kept)
