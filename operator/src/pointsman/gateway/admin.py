"""Envoy's admin interface, over its Unix socket."""

from pathlib import Path

import aiohttp

from pointsman.errors import PointsmanError

_PATIENCE = aiohttp.ClientTimeout(total=10)


class Admin:
    """One Envoy's admin interface. Raises PointsmanError when it does not answer."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def get(self, path: str) -> str:
        """The page at a path."""
        return await self._ask("GET", path)

    async def post(self, path: str) -> str:
        """Make Envoy do something."""
        return await self._ask("POST", path)

    async def active_requests(self) -> int:
        """Requests that clients wait for."""
        page = await self.get("/stats?filter=^http.front.downstream_rq_active$")
        return int(page.rpartition(":")[2] or 0)

    async def _ask(self, method: str, path: str) -> str:
        connector = aiohttp.UnixConnector(path=str(self._socket))
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=_PATIENCE) as session,
                session.request(method, f"http://admin{path}") as response,
            ):
                return await response.text()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise PointsmanError(
                f"Envoy's admin interface does not answer ({error})", where=path.split("?")[0]
            ) from error
