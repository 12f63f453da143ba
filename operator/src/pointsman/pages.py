"""Pages of servers that may be anybody's: read as far as any honest one goes."""

import aiohttp


async def read_page(answer: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """The body, whatever it says of its length. Raises ClientPayloadError where it is longer than that."""
    taken = bytearray()
    async for part in answer.content.iter_any():
        taken += part
        if len(taken) > most_bytes:
            raise aiohttp.ClientPayloadError("the page has no end")
    return bytes(taken)
