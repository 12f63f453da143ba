"""What gives credentials for a pod's token, on this machine, as far as an S3 client asks it: AWS' STS, and
the agent that EKS has on each node.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ssl import SSLContext

from aiohttp import web

from tests.support.certificates import CertificateAuthority
from tests.support.loopback_server import LoopbackServer

_LATE = "2126-01-01T00:00:00Z"
_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


@dataclass
class TokenExchange(LoopbackServer):
    """Gives `access_key` for `token` to who asks for `role`, by TLS; `asked` are the tokens that came."""

    access_key: str
    token: str
    role: str
    authority: CertificateAuthority = field(default_factory=CertificateAuthority)
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def _encryption(self) -> SSLContext:
        return self.authority.issue(["127.0.0.1"]).server_context()

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/", self._assume)
        app.router.add_get("/v1/credentials", self._give)
        return app

    async def _give(self, request: web.Request) -> web.Response:
        self.asked.append(request.headers.get("Authorization", ""))
        if self.asked[-1] != self.token:
            return web.Response(status=403)
        said = {"AccessKeyId": self.access_key, "SecretAccessKey": "x", "Token": "y", "Expiration": _LATE}
        return web.json_response(said)

    async def _assume(self, request: web.Request) -> web.Response:
        stated = {**request.query, **await request.post()}
        self.asked.append(str(stated.get("WebIdentityToken")))
        wanted = ("AssumeRoleWithWebIdentity", self.role, self.token)
        if (stated.get("Action"), stated.get("RoleArn"), stated.get("WebIdentityToken")) != wanted:
            text = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
            return web.Response(status=403, text=text, content_type="text/xml")
        credentials = (
            f"<Credentials><AccessKeyId>{self.access_key}</AccessKeyId><SecretAccessKey>x</SecretAccessKey>"
            f"<SessionToken>y</SessionToken><Expiration>{_LATE}</Expiration></Credentials>"
        )
        result = "AssumeRoleWithWebIdentity"
        text = (
            f'<{result}Response xmlns="{_NAMESPACE}"><{result}Result>{credentials}</{result}Result>'
            f"</{result}Response>"
        )
        return web.Response(text=text, content_type="text/xml")
