"""Adapters for an engine that runs: each is fetched by a process of its own, which gives back its memory."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping

from pointsman.cli.fetch_weights import CREDENTIAL
from pointsman.engine_agent.adapter_settings import Bring
from pointsman.weights import Item

_LONGEST_LINE_BYTES = 64 * 1024


def bringing(model_source: str) -> Bring:
    """What fetches items as `pointsman fetch-weights`. The credential is the model's: what is from elsewhere
    must not carry it there. It is taken out of this process's environment.
    """
    credential = os.environ.pop(CREDENTIAL, "")
    model = Item(model_source, "/")

    async def bring(stated: Mapping[str, str]) -> str:
        item = json.dumps(dict(stated), sort_keys=True)
        shown = credential and Item.from_argument(item).shares_credentials_with(model)
        environment = {**os.environ, **({CREDENTIAL: credential} if shown else {})}
        fetching = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "pointsman.cli.main",
            "fetch-weights",
            "--item",
            item,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE_BYTES,
        )
        assert fetching.stderr is not None
        last = ""
        try:
            async for line in fetching.stderr:
                last = line.decode(errors="replace").strip() or last
            return "" if await fetching.wait() == 0 else last or "the fetching process was ended"
        finally:
            if fetching.returncode is None:
                fetching.kill()
                await fetching.wait()

    return bring
