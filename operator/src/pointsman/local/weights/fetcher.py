"""Runs the fetching child process and listens to it."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointsman.errors import PointsmanError
from pointsman.local.weights.located import Weights, locate
from pointsman.local.weights.source import parse_source
from pointsman.weights.shards import total_bytes
from pointsman.weights.trouble import Reason, WeightsError


@dataclass(frozen=True)
class WeightsRequest:
    """Which weights. `beside` is the folder of the YAML file; `token` is a secret and is not shown."""

    source: str
    revision: str
    sha256: str | None
    beside: Path


@dataclass(frozen=True)
class FetchProgress:
    """How far a fetch is; `total_bytes` is 0 while unknown."""

    stage: str
    done_bytes: int
    total_bytes: int


class Fetcher:
    """Finds weights on this machine or has them fetched."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def at_hand(self, request: WeightsRequest) -> Weights | None:
        """The weights, if nothing has to be done for them. Raises WeightsError."""
        try:
            source = parse_source(request.source, request.revision, beside=request.beside)
        except PointsmanError as error:
            raise WeightsError(Reason.SOURCE_NOT_SUPPORTED, error.what, todo=error.todo) from error
        return locate(source, request.sha256, self._cache)

    async def fetch(
        self, request: WeightsRequest, token: str | None, on_progress: Callable[[FetchProgress], None]
    ) -> Weights:
        """Bring the weights; the child is killed if this is cancelled. Raises WeightsError."""
        found = self.at_hand(request)
        if found is not None:
            return found
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pointsman.local.weights.fetch",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            # Its bars would only fill the pipe: how far a download is, is read from the file.
            env={**os.environ, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"},
        )  # fmt: skip
        try:
            return await self._listen(child, request, token, on_progress)
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()

    async def _listen(
        self,
        child: asyncio.subprocess.Process,
        request: WeightsRequest,
        token: str | None,
        on_progress: Callable[[FetchProgress], None],
    ) -> Weights:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        document = {
            "source": request.source,
            "revision": request.revision,
            "sha256": request.sha256,
            "beside": str(request.beside),
            "token": token,
            "cache": str(self._cache),
        }
        complaints = asyncio.create_task(child.stderr.read())
        child.stdin.write(json.dumps(document).encode())
        child.stdin.close()
        async for line in child.stdout:
            told = _heard(line)
            if "trouble" in told:
                raise WeightsError.from_document(told["trouble"])
            if "path" in told:
                path = Path(told["path"])
                known = self.at_hand(request)
                return known or Weights(path, total_bytes(path), "a file")
            if "stage" in told:
                on_progress(FetchProgress(told["stage"], told["doneBytes"], told["totalBytes"]))
        await child.wait()
        last = (await complaints).decode(errors="replace").strip().splitlines()[-1:]
        raise WeightsError(
            Reason.UNREADABLE,
            f"fetching ended with exit code {child.returncode}: {' '.join(last)}",
            where=request.source,
            todo="it is tried again by itself",
        )


def _heard(line: bytes) -> dict[str, Any]:
    """What the child told; nothing where its end cut it off, or a library printed something."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
