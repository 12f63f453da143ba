"""A bucket on this machine as Google's and Azure's clients ask for one, with the token that their pods are
given: where a pod's identity is told is here, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from aiohttp import web

from tests.support.loopback_server import LoopbackServer

_TIME = "Fri, 02 Jan 2026 03:04:05 GMT"


@dataclass
class BearerStore(LoopbackServer):
    """Whoever has not the `token` is refused; that is given to a pod on a node of Google's, and for the
    `assertion` of a pod by Azure's authority. `given` counts how often. Objects are made where none is.
    """

    token: str
    assertion: str
    objects: dict[str, bytes] = field(default_factory=dict)
    given: int = 0
    port: int = 0

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/computeMetadata/{rest:.+}", self._of_a_node)
        app.router.add_post("/{tenant}/oauth2/v2.0/token", self._for_an_assertion)
        app.router.add_get("/{bucket}", self._list)
        app.router.add_get("/{bucket}/{key:.+}", self._get)
        app.router.add_put("/{bucket}/{key:.+}", self._make)
        return app

    async def _of_a_node(self, request: web.Request) -> web.Response:
        return self._given(is_right=request.headers.get("Metadata-Flavor") == "Google")

    async def _for_an_assertion(self, request: web.Request) -> web.Response:
        return self._given(is_right=(await request.post()).get("client_assertion") == self.assertion)

    def _given(self, *, is_right: bool) -> web.Response:
        if not is_right:
            return web.Response(status=403)
        self.given += 1
        said = {"access_token": self.token, "expires_in": 3600, "token_type": "Bearer"}
        return web.json_response(said)

    def _refuses(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") != f"Bearer {self.token}"

    async def _list(self, request: web.Request) -> web.Response:
        if self._refuses(request):
            return web.Response(status=403)
        found = {
            key: content
            for key, content in sorted(self.objects.items())
            if key.startswith(request.query.get("prefix", "")) and key > request.query.get("start-after", "")
        }
        if request.query.get("comp") == "list":
            rows = "".join(
                f"<Blob><Name>{escape(key)}</Name><Properties><Last-Modified>{_TIME}</Last-Modified>"
                f"<Content-Length>{len(content)}</Content-Length><Content-Type>text/plain</Content-Type>"
                "<Etag>1</Etag></Properties></Blob>"
                for key, content in found.items()
            )
            text = f"<EnumerationResults><Blobs>{rows}</Blobs><NextMarker/></EnumerationResults>"
        else:
            rows = "".join(
                f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size><ETag>1</ETag>"
                "<LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents>"
                for key, content in found.items()
            )
            text = f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>"
        return web.Response(text=text, content_type="application/xml")

    async def _get(self, request: web.Request) -> web.Response:
        content = self.objects.get(request.match_info["key"])
        if self._refuses(request) or content is None:
            return web.Response(status=404 if content is None else 403)
        return web.Response(body=content, headers={"ETag": "1", "Last-Modified": _TIME})

    async def _make(self, request: web.Request) -> web.Response:
        key, headers = request.match_info["key"], request.headers
        is_new = headers.get("If-None-Match") == "*" or headers.get("x-goog-if-generation-match") == "0"
        if self._refuses(request) or not is_new or key in self.objects:
            return web.Response(status=412 if key in self.objects else 403)
        self.objects[key] = await request.read()
        return web.Response(status=201, headers={"ETag": "1"})
