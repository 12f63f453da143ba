"""A Hugging Face hub that has every model at every commit, with files that say so and weigh nothing.

For engines that read no weights: what brings them runs for real, and brings these.
"""

from __future__ import annotations

import re

from aiohttp import web

from tests.support.hub import Hub, HubRepository

_COMMIT = re.compile(r"[0-9a-f]{40}")
_NEWEST = "0123456789abcdef0123456789abcdef01234567"
_FILES = {"config.json": b"{}\n", "model.safetensors": b"nothing\n"}


class EveryModelHub(Hub):
    """Use as `Hub`, without repositories; those that are given are as they are given."""

    def _refusal(self, request: web.Request) -> web.Response | None:
        return super()._refusal(request) if self._name(request) in self.repositories else None

    def _repository(self, request: web.Request) -> HubRepository:
        if self._name(request) in self.repositories:
            return super()._repository(request)
        revision = request.match_info.get("revision", "")
        return HubRepository(revision if _COMMIT.fullmatch(revision) else _NEWEST, _FILES)

    def _name(self, request: web.Request) -> str:
        return f"{request.match_info['owner']}/{request.match_info['name']}"
