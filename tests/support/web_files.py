"""A web server with one file, as far as a download asks it: ranges, validators, redirects, encodings.

Ranges and validators follow RFC 9110: a part is sent only while `If-Range` names the content that is there.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext

from aiohttp import web

from tests.support.certificates import CertificateAuthority
from tests.support.loopback_server import LoopbackServer


@dataclass
class WebFiles(LoopbackServer):
    """The server; `async with WebFiles(content, folder) as server`. It answers at every path below `/files/`;
    the certificate of its authority lies in the folder.

    `breaks_after` ends a connection after so many bytes of an answer, `hangs_after` says no more;
    `refuses_parts` answers a range with that status; `redirects_to` is where `/moved` leads.
    """

    content: bytes
    folder: Path
    encrypted: bool = True
    port: int = 0
    tagged: bool = True
    breaks_after: int | None = None
    hangs_after: int | None = None
    refuses_parts: int | None = None
    other_part: bool = False
    redirects_to: str = ""
    ranges: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def authority(self) -> Path:
        return self.folder / "authority.pem"

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/files/a.gguf"

    @property
    def moved(self) -> str:
        return f"https://localhost:{self.port}/moved"

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/files/{name:.+}", self._answer)
        app.router.add_get("/moved", self._move)
        return app

    def _encryption(self) -> SSLContext | None:
        if not self.encrypted:
            return None
        authority = CertificateAuthority(f"Authority of {self.folder.name}")
        self.authority.write_bytes(authority.certificate_pem)
        return authority.issue(["localhost"]).server_context()

    def _validator(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:16]}"'

    async def _move(self, request: web.Request) -> web.StreamResponse:
        self.tokens.append(request.headers.get("authorization", ""))
        return web.Response(status=302, headers={"Location": self.redirects_to})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = request.headers.get("range", "")
        self.ranges.append(asked)
        self.tokens.append(request.headers.get("authorization", ""))
        self.paths.append(request.raw_path)
        if asked and self.refuses_parts is not None:
            return web.Response(status=self.refuses_parts)
        headers = {"ETag": self._validator()} if self.tagged else {}
        begin = int(asked.removeprefix("bytes=").rstrip("-") or 0)
        if request.headers.get("if-range", self._validator()) != self._validator():
            asked, begin = "", 0
        if asked and begin >= len(self.content):
            headers["Content-Range"] = f"bytes */{len(self.content)}"
            return web.Response(status=416, headers=headers)
        if asked and self.other_part:
            begin += 1
        part = self.content[begin:]
        if asked:
            headers["Content-Range"] = f"bytes {begin}-{len(self.content) - 1}/{len(self.content)}"
        elif "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            part = gzip.compress(part, 1)
        response = web.StreamResponse(status=206 if asked else 200, headers=headers)
        response.content_length = len(part)
        await response.prepare(request)
        if self.breaks_after is not None:
            await response.write(part[: self.breaks_after])
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write(part[: self.hangs_after])
        if self.hangs_after is not None:
            await asyncio.Event().wait()
        return response
