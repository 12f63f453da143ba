"""A Hugging Face hub on this machine, as far as huggingface_hub asks it for a model's files.

The routes and headers are those that huggingface_hub 2 uses: model info by revision, and HEAD and GET of a
file with `X-Repo-Commit`, an etag that is the file's sha256, ranges, and `X-Error-Code` for each refusal.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from tests.support.loopback_server import LoopbackServer

_PIECE_BYTES = 64 * 1024


@dataclass
class HubRepository:
    """One model's files at one commit. With a `token`, only who sends it may read."""

    commit: str
    files: Mapping[str, bytes]
    token: str = ""
    gated: bool = False
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Told in lists instead of a file's own."""


@dataclass
class Hub(LoopbackServer):
    """The server; `async with Hub({...}) as hub`. Repositories are named `owner/name`.

    `content_host` is where GETs of files are sent, as the real hub does. `pieces` limits how many pieces of a
    file one answer has until it hangs; `damage` changes a byte of each file. `sent_bytes`, `ranges` and
    `tokens` are what was sent and asked, `questions` how often somebody asked what a repository is.
    """

    repositories: Mapping[str, HubRepository]
    content_host: str = ""
    pieces: int | None = None
    damage: bool = False
    sent_bytes: int = 0
    ranges: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    questions: int = 0
    port: int = 0

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/api/models/{owner}/{name}", self._info)
        app.router.add_get("/api/models/{owner}/{name}/revision/{revision}", self._info)
        app.router.add_get("/{owner}/{name}/resolve/{revision}/{file:.+}", self._file)
        return app

    def _refusal(self, request: web.Request) -> web.Response | None:
        """Why this request gets nothing, as the hub says it."""
        self.tokens.add(request.headers.get("authorization", ""))
        found = self.repositories.get(f"{request.match_info['owner']}/{request.match_info['name']}")
        if found is None or (found.token and request.headers.get("authorization") != f"Bearer {found.token}"):
            return web.Response(status=401, headers={"X-Error-Code": "RepoNotFound"})
        if found.gated:
            return web.Response(status=403, headers={"X-Error-Code": "GatedRepo"})
        if request.match_info.get("revision", "main") not in ("main", found.commit):
            return web.Response(status=404, headers={"X-Error-Code": "RevisionNotFound"})
        if request.match_info.get("file", next(iter(found.files))) not in found.files:
            return web.Response(status=404, headers={"X-Error-Code": "EntryNotFound"})
        return None

    def _repository(self, request: web.Request) -> HubRepository:
        return self.repositories[f"{request.match_info['owner']}/{request.match_info['name']}"]

    async def _info(self, request: web.Request) -> web.Response:
        self.questions += 1
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        found = self._repository(request)
        name = f"{request.match_info['owner']}/{request.match_info['name']}"
        siblings = [
            {"rfilename": file, "size": found.sizes.get(file, len(content))}
            for file, content in found.files.items()
        ]
        return web.json_response({"id": name, "sha": found.commit, "siblings": siblings})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        found = self._repository(request)
        if self.content_host and request.method == "GET":
            return web.Response(status=302, headers={"Location": self.content_host + request.path})
        content = found.files[request.match_info["file"]]
        headers = {
            "X-Repo-Commit": found.commit,
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "Accept-Ranges": "bytes",
        }
        if self.damage:
            content = bytes([content[0] ^ 1]) + content[1:]
        asked = request.headers.get("range", "")
        begin = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
        if asked:
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        response = web.StreamResponse(status=206 if asked else 200, headers=headers)
        response.content_length = len(content) - begin
        await response.prepare(request)
        if request.method == "GET":
            self.ranges.append(asked)
            await self._send(response, content[begin:])
        return response

    async def _send(self, response: web.StreamResponse, content: bytes) -> None:
        for number, start in enumerate(range(0, len(content), _PIECE_BYTES)):
            if self.pieces is not None and number >= self.pieces:
                await asyncio.Event().wait()
            piece = content[start : start + _PIECE_BYTES]
            await response.write(piece)
            self.sent_bytes += len(piece)
