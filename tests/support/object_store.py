"""A bucket on this machine that speaks what an S3 client asks: lists below a prefix, objects, their parts,
and new objects.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from aiohttp import web

from tests.support.loopback_server import LoopbackServer

ACCESS_KEY = "AKIAEXAMPLE"


@dataclass
class ObjectStore(LoopbackServer):
    """The server; `async with ObjectStore({"bucket": {"key": b"…"}}) as store`.

    Whoever does not sign with `ACCESS_KEY` is refused. `asked` are the keys that were read, `ranges` the
    parts of them. `hangs_from` is where in an object it says no more; `sizes` are told instead of an
    object's own; `modified` counts seconds. An object is written where none is (`If-None-Match: *`) and with
    a checksum, as a bucket that locks its objects has it; of the first `lost_answers` writes nobody hears.
    """

    buckets: dict[str, dict[str, bytes]]
    asked: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    hangs_from: int | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    modified: int = 0
    lost_answers: int = 0
    port: int = 0

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{bucket}", self._list)
        app.router.add_get("/{bucket}/", self._list)
        app.router.add_get("/{bucket}/{key:.+}", self._object)
        app.router.add_put("/{bucket}/{key:.+}", self._make)
        return app

    async def _make(self, request: web.Request) -> web.Response:
        if f"Credential={ACCESS_KEY}/" not in request.headers.get("authorization", ""):
            return _refused(403, "AccessDenied")
        objects = self.buckets.get(request.match_info["bucket"])
        if objects is None:
            return _refused(404, "NoSuchBucket")
        if request.headers.get("if-none-match") != "*" or "x-amz-checksum-sha256" not in request.headers:
            return _refused(400, "InvalidRequest")
        key = request.match_info["key"]
        if key in objects:
            return _refused(412, "PreconditionFailed")
        objects[key] = await request.read()
        if self.lost_answers:
            self.lost_answers -= 1
            return _refused(500, "InternalError")
        return web.Response(headers={"ETag": _tag(objects[key])})

    async def _list(self, request: web.Request) -> web.Response:
        if f"Credential={ACCESS_KEY}/" not in request.headers.get("authorization", ""):
            return _refused(403, "AccessDenied")
        objects = self.buckets.get(request.match_info["bucket"])
        if objects is None:
            return _refused(404, "NoSuchBucket")
        prefix = request.query.get("prefix", "")
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{self.sizes.get(key, len(content))}</Size>"
            f"<LastModified>2026-01-02T03:04:{self.modified:02}.000Z</LastModified><ETag>{escape(_tag(content))}</ETag></Contents>"
            for key, content in sorted(objects.items())
            if key.startswith(prefix) and key > request.query.get("start-after", "")
        )
        text = f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>"
        return web.Response(text=text, content_type="application/xml")

    async def _object(self, request: web.Request) -> web.Response:
        if f"Credential={ACCESS_KEY}/" not in request.headers.get("authorization", ""):
            return _refused(403, "AccessDenied")
        key = request.match_info["key"]
        content = self.buckets.get(request.match_info["bucket"], {}).get(key)
        if content is None:
            return _refused(404, "NoSuchKey")
        headers = {"ETag": _tag(content), "Last-Modified": f"Fri, 02 Jan 2026 03:04:{self.modified:02} GMT"}
        if request.headers.get("if-match", _tag(content)) != _tag(content):
            return _refused(412, "PreconditionFailed")
        part = request.headers.get("range", "")
        begin, end = 0, len(content)
        if part:
            first, _, last = part.removeprefix("bytes=").partition("-")
            begin, end = int(first), min(int(last) + 1, len(content))
            headers["Content-Range"] = f"bytes {begin}-{end - 1}/{len(content)}"
        if request.method == "GET":
            self.asked.append(key)
            self.ranges.append(part)
            if self.hangs_from is not None and begin >= self.hangs_from:
                await asyncio.Event().wait()
        return web.Response(status=206 if part else 200, body=content[begin:end], headers=headers)


def _tag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def _refused(status: int, code: str) -> web.Response:
    text = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
    return web.Response(status=status, text=text, content_type="application/xml")
