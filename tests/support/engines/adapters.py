"""LoRA adapters of a scripted engine: named by its command line, or loaded and unloaded while it runs."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

CONFIGURATION = "adapter_config.json"
"""What peft writes beside an adapter's weights, and what engines look for first."""


def loaded(stated: Sequence[str], *, is_enabled: bool, highest_rank: int | None = None) -> dict[str, str]:
    """Name -> path of `name=path` items. Ends the process, as engines do, for what cannot be loaded."""
    if stated and not is_enabled:
        sys.exit("ValueError: LoRA is not enabled! Use --enable-lora to enable LoRA.")
    found = {}
    for item in stated:
        name, _, path = item.partition("=")
        trouble = unloadable(name, path, highest_rank)
        if trouble is not None:
            sys.exit(f"ValueError: {trouble[1]}")
        found[name] = path
    return found


def unloadable(name: str, path: str, highest_rank: int | None) -> tuple[int, str] | None:
    """Status and message, as vLLM has them, for an adapter that cannot be loaded."""
    file = Path(path) / CONFIGURATION
    if not file.is_file():
        return 404, f"Loading lora {name} failed: No adapter found for {path}"
    rank = int(json.loads(file.read_text(encoding="utf-8"))["r"])
    if highest_rank is not None and rank > highest_rank:
        return 500, f"LoRA rank {rank} is greater than max_lora_rank {highest_rank}."
    return None


_KINDS = {400: "InvalidUserInput", 404: "NotFoundError", 500: "InternalServerError"}
_ROOT_CAUSE = "please check the stack trace above for the root cause"


@dataclass
class RunningAdapters:
    """Name -> path, as vLLM 0.33 lets them be changed. `told` is what was asked, also in vain; `load_seconds`
    is how long a load takes; `served_names` are the base model's.
    """

    paths: dict[str, str] = field(default_factory=dict)
    highest_rank: int | None = None
    load_seconds: float = 0.0
    served_names: Sequence[str] = ()
    told: list[tuple[str, str]] = field(default_factory=list)

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/v1/load_lora_adapter", self._load)
        app.router.add_post("/v1/unload_lora_adapter", self._unload)

    def rows(self, parent: str) -> list[Mapping[str, Any]]:
        """What GET /v1/models lists of them."""
        return [
            {"id": name, "object": "model", "created": 0, "owned_by": "vllm", "root": path, "parent": parent}
            for name, path in self.paths.items()
        ]

    async def _load(self, request: web.Request) -> web.Response:
        body = await request.json()
        name, path = body["lora_name"], body["lora_path"]
        self.told.append(("load", name))
        if not name or not path:
            return _refused(400, "Both 'lora_name' and 'lora_path' must be provided.")
        if name in self.served_names:
            return _refused(400, f"The lora adapter '{name}' conflicts with a served base model.")
        if name in self.paths and not body.get("load_inplace"):
            again = "If you want to load the adapter in place, set 'load_inplace' to True."
            return _refused(400, f"The lora adapter '{name}' has already been loaded. {again}")
        await asyncio.sleep(self.load_seconds)
        trouble = unloadable(name, path, self.highest_rank)
        if trouble is not None:
            status, said = trouble
            if status == 500:
                said = f"Call to add_lora method failed: Worker failed with error '{said}', {_ROOT_CAUSE}"
            return _refused(status, said.replace(path, "<path>"))
        self.paths[name] = path
        return web.Response(text=f"Success: LoRA adapter '{name}' added successfully.")

    async def _unload(self, request: web.Request) -> web.Response:
        name = (await request.json())["lora_name"]
        self.told.append(("unload", name))
        if name not in self.paths:
            return _refused(404, f"The lora adapter '{name}' cannot be found.")
        del self.paths[name]
        return web.Response(text=f"Success: LoRA adapter '{name}' removed successfully.")


def _refused(status: int, message: str) -> web.Response:
    error = {"message": message, "type": _KINDS[status], "param": None, "code": status}
    return web.json_response({"error": error}, status=status)
