"""Envoy's admin interface, over its Unix socket."""

from pathlib import Path

import aiohttp

from pointsman.errors import PointsmanError
from pointsman.gateway.run_folder import short_path

_PATIENCE_SECONDS = 10.0


class Admin:
    """One Envoy's admin interface. Raises PointsmanError when it does not answer."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def get(self, path: str, within_seconds: float = _PATIENCE_SECONDS) -> str:
        """The page at a path, whatever its status."""
        return await self._ask("GET", path, within_seconds)

    async def post(self, path: str) -> str:
        """Make Envoy do something."""
        return await self._ask("POST", path, _PATIENCE_SECONDS)

    async def active_requests(self) -> int:
        """Requests that clients wait for."""
        page = await self.get("/stats?filter=^http.front.downstream_rq_active$")
        return int(page.rpartition(":")[2] or 0)

    async def _ask(self, method: str, path: str, within_seconds: float) -> str:
        timeout = aiohttp.ClientTimeout(total=within_seconds)
        try:
            with short_path(self._socket) as socket:
                async with (
                    aiohttp.ClientSession(
                        connector=aiohttp.UnixConnector(socket), timeout=timeout
                    ) as session,
                    session.request(method, f"http://admin{path}") as response,
                ):
                    return await response.text()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # The path that aiohttp names is one of ours that means nothing to a reader.
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise PointsmanError(
                f"Envoy's admin interface does not answer ({reason})", where=path.split("?")[0]
            ) from error
