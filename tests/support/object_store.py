"""A bucket on this machine that speaks what an S3 client asks: lists below a prefix, and objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from xml.sax.saxutils import escape

from aiohttp import web

ACCESS_KEY = "AKIAEXAMPLE"


@dataclass
class ObjectStore:
    """The server; `async with ObjectStore({"bucket": {"key": b"…"}}) as store`.

    Whoever does not sign with `ACCESS_KEY` is refused. `asked` are the keys that were read.
    """

    buckets: Mapping[str, Mapping[str, bytes]]
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> ObjectStore:
        app = web.Application()
        app.router.add_get("/{bucket}", self._list)
        app.router.add_get("/{bucket}/", self._list)
        app.router.add_get("/{bucket}/{key:.+}", self._object)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _list(self, request: web.Request) -> web.Response:
        if f"Credential={ACCESS_KEY}/" not in request.headers.get("authorization", ""):
            return _refused(403, "AccessDenied")
        objects = self.buckets.get(request.match_info["bucket"])
        if objects is None:
            return _refused(404, "NoSuchBucket")
        prefix = request.query.get("prefix", "")
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size>"
            "<LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;0&quot;</ETag></Contents>"
            for key, content in sorted(objects.items())
            if key.startswith(prefix)
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
        self.asked.append(key)
        headers = {"ETag": '"0"', "Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT"}
        return web.Response(body=content, headers=headers)


def _refused(status: int, code: str) -> web.Response:
    text = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
    return web.Response(status=status, text=text, content_type="application/xml")
