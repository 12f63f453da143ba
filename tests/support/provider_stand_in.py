"""A stand-in for a hosted provider: OpenAI-shaped, on TLS or plain, and strict about keys and paths.

It records which keys it saw, right or wrong, so that a test can prove that no target's key ever reached
another's provider.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from aiohttp import web

from tests.support.behaviour import Behaviour, Dialect
from tests.support.certificates import CertificateAuthority
from tests.support.seen_requests import SeenRequest
from tests.support.stand_in import StandIn


class KeyHeader(StrEnum):
    """Where a provider wants its key."""

    BEARER = "authorization"
    API_KEY = "api-key"


class ProviderStandIn(StandIn):
    """A scripted provider.

    `keys` are the keys it accepts (none: any or none at all); `prefixes` the paths it knows, such as `/v1` or
    Azure's `/openai/deployments/gpt-5-mini`. With an `authority` it speaks TLS and shows a certificate for
    `names`.
    """

    def __init__(
        self,
        name: str = "provider",
        *,
        keys: Sequence[str] = (),
        key_header: KeyHeader = KeyHeader.BEARER,
        prefixes: Sequence[str] = ("/v1",),
        authority: CertificateAuthority | None = None,
        names: Sequence[str] = ("localhost", "127.0.0.1"),
        host: str = "127.0.0.1",
        port: int = 0,
        default: Behaviour | None = None,
        served_names: Sequence[str] = (),
    ) -> None:
        super().__init__(
            name,
            host=host,
            port=port,
            default=default or Behaviour(dialect=Dialect.OPENAI),
            served_names=served_names,
            tls=authority.issue(names).server_context() if authority else None,
        )
        self.keys = set(keys)
        self.key_header = key_header
        self.prefixes = tuple(prefixes)

    async def __aenter__(self) -> ProviderStandIn:
        await self.start()
        return self

    def keys_seen(self) -> set[str]:
        """Every key that any request carried, in whichever header; without the empty one."""
        return {seen.api_key for seen in self.log.records()} - {""}

    def refuse(self, seen: SeenRequest) -> web.Response | None:
        if not any(seen.path.startswith(f"{prefix.rstrip('/')}/") for prefix in self.prefixes):
            return _refusal(404, f"Invalid URL ({seen.method} {seen.path})", None)
        if not self.keys:
            return None
        if self.key_header is KeyHeader.API_KEY:
            key = seen.headers.get("api-key", "")
        else:
            scheme, _, key = seen.authorization.partition(" ")
            key = key if scheme == "Bearer" else ""
        if not key:
            return _refusal(401, "You didn't provide an API key.", None)
        if key not in self.keys:
            return _refusal(401, "Incorrect API key provided.", "invalid_api_key")
        return None


def _refusal(status: int, message: str, code: str | None) -> web.Response:
    body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
    return web.json_response(body, status=status)


AZURE_PREFIX = "/openai/deployments"


def azure_prefix(deployment: str) -> str:
    """The path prefix of one Azure deployment; a request adds `/chat/completions?api-version=…`."""
    return f"{AZURE_PREFIX}/{deployment}"
