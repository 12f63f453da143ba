"""https://: one file of a web server."""

import os
from pathlib import Path

import aiohttp

from pointsman.weights.item import Item
from pointsman.weights.trouble import Reason, WeightsError

_PIECE_BYTES = 1024 * 1024
# Between two pieces: a large file takes as long as it takes, a dead connection does not.
_SILENCE_SECONDS = 60.0
_PARTIAL = 206


async def bring(item: Item, token: str | None, folder: Path) -> None:
    """Put the file into the folder, going on where a former attempt ended. WeightsError with the server's
    answer.
    """
    target = folder / item.file
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    if target.is_file():
        return
    done = partial.stat().st_size if partial.exists() else 0
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if done:
        headers["Range"] = f"bytes={done}-"
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_SILENCE_SECONDS, sock_read=_SILENCE_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.get(item.source, headers=headers) as answer,
        ):
            if answer.status >= 400:
                partial.unlink(missing_ok=True)
                raise _refusal(item, answer.status)
            with partial.open("ab" if answer.status == _PARTIAL else "wb") as file:
                async for piece in answer.content.iter_chunked(_PIECE_BYTES):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
    except (aiohttp.ClientError, TimeoutError) as error:
        raise WeightsError(
            Reason.SOURCE_UNREACHABLE,
            f"the server cannot be reached ({type(error).__name__})",
            where=item.source,
            todo="check the address, the network, its policy and the proxy of the fleet settings",
        ) from error
    partial.replace(target)


def _refusal(item: Item, status: int) -> WeightsError:
    what = f"the server answers {status}"
    if status in (401, 403):
        todo = "name a Secret with a token in spec.model.credentials"
        return WeightsError(Reason.ACCESS_DENIED, what, where=item.source, todo=todo)
    if status in (404, 410):
        return WeightsError(Reason.FILE_NOT_FOUND, what, where=item.source, todo="correct spec.model.source")
    return WeightsError(
        Reason.SOURCE_UNREACHABLE, what, where=item.source, todo="it is tried again by itself"
    )
