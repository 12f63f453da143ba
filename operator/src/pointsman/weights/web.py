"""https://: one file of a web server."""

import os
import re
import shutil
from pathlib import Path

import aiohttp
from yarl import URL

from pointsman.weights.item import Item
from pointsman.weights.trouble import Reason, WeightsError, too_large

_PIECE_BYTES = 1024 * 1024
# Between two pieces: a large file takes as long as it takes, a dead connection does not.
_SILENCE_SECONDS = 60.0
_PART = 206
_NO_SUCH_PART = 416
_BEGIN = re.compile(r"bytes (?P<begin>[0-9]+)-")


async def bring(item: Item, token: str | None, folder: Path) -> None:
    """Put the file into the folder, going on where a former attempt ended as long as the server says that the
    file is still the same. WeightsError with the server's answer.
    """
    target = folder / item.file
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_file():
        return
    partial = _Partial(target)
    address = _address(item)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_SILENCE_SECONDS, sock_read=_SILENCE_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout, trust_env=True, auto_decompress=False) as session:
            if not await _goes_on(session, item, address, token, partial):
                partial.forget()
                await _goes_on(session, item, address, token, partial)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise WeightsError(
            Reason.SOURCE_UNREACHABLE,
            f"the server cannot be reached ({type(error).__name__})",
            where=item.shown,
            todo="check the address, the network, its policy and the proxy of the fleet settings",
        ) from error
    partial.become(target)


class _Partial:
    """What has arrived, and by which word the server tells that content from another."""

    def __init__(self, target: Path) -> None:
        self.file = target.with_name(f".{target.name}.partial")
        self._validator = target.with_name(f".{target.name}.validator")

    @property
    def validator(self) -> str:
        return self._validator.read_text() if self._validator.is_file() else ""

    @property
    def done(self) -> int:
        """Bytes that can be continued; none without a validator: the file may have changed since."""
        return self.file.stat().st_size if self.validator and self.file.is_file() else 0

    def begin(self, answer: aiohttp.ClientResponse) -> None:
        self.forget()
        tag = answer.headers.get("ETag", "")
        # A weak tag is the same for contents that mean the same, whatever their bytes.
        strong = tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")
        if strong:
            self._validator.write_text(strong)

    def forget(self) -> None:
        self.file.unlink(missing_ok=True)
        self._validator.unlink(missing_ok=True)

    def become(self, target: Path) -> None:
        self.file.replace(target)
        self._validator.unlink(missing_ok=True)


def _address(item: Item) -> URL:
    """As it is written: signatures of addresses hold for their very characters."""
    try:
        address = URL(item.source, encoded=True)
        if address.host and address.port:
            return address
    except ValueError:
        pass
    raise WeightsError(
        Reason.SOURCE_NOT_SUPPORTED,
        "is no address of a web server",
        where=item.shown,
        todo="correct spec.model.source",
    )


async def _goes_on(
    session: aiohttp.ClientSession, item: Item, address: URL, token: str | None, partial: _Partial
) -> bool:
    """Fetch what is missing; False where the server sent another part than was asked for."""
    done = partial.done
    # Of an encoded answer a part would be a part of something else.
    headers = {"Accept-Encoding": "identity"}
    if token and not address.user:
        headers["Authorization"] = f"Bearer {token}"
    if done:
        headers |= {"Range": f"bytes={done}-", "If-Range": partial.validator}
    async with session.get(address, headers=headers) as answer:
        _refuse_plain(item, answer)
        if done and answer.status == _NO_SUCH_PART:
            return answer.headers.get("Content-Range", "") == f"bytes */{done}"
        if answer.status >= 400:
            raise _refusal(item, answer.status)
        if answer.status == _PART:
            begin = _BEGIN.match(answer.headers.get("Content-Range", ""))
            if begin is None or int(begin["begin"]) != done:
                return False
        else:
            partial.begin(answer)
        await _keep(answer, partial.file)
    return True


async def _keep(answer: aiohttp.ClientResponse, file: Path) -> None:
    free = shutil.disk_usage(file.parent).free
    if answer.content_length is not None and answer.content_length > free:
        raise too_large(answer.content_length, free, file.parent)
    with file.open("ab") as out:
        async for piece in answer.content.iter_chunked(_PIECE_BYTES):
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())


def _refuse_plain(item: Item, answer: aiohttp.ClientResponse) -> None:
    """Weights that came, or were sent for, over plain HTTP could be anybody's."""
    for each in (*answer.history, answer):
        if each.url.scheme != "https":
            raise WeightsError(
                Reason.SOURCE_NOT_SUPPORTED,
                f"the server leads to {each.url.origin()}",
                where=item.shown,
                todo="name an address that stays with https://",
            )


def _refusal(item: Item, status: int) -> WeightsError:
    what = f"the server answers {status}"
    if status in (401, 403):
        todo = "name a Secret with a token in spec.model.credentials"
        return WeightsError(Reason.ACCESS_DENIED, what, where=item.shown, todo=todo)
    if status in (404, 410):
        return WeightsError(Reason.FILE_NOT_FOUND, what, where=item.shown, todo="correct spec.model.source")
    return WeightsError(Reason.SOURCE_UNREACHABLE, what, where=item.shown, todo="it is tried again by itself")
