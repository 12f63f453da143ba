"""One question to the agent beside an engine."""

import aiohttp

from pointsman.addresses import in_url
from pointsman.errors import PointsmanError
from pointsman.kube.objects import KubeObject, is_being_deleted, is_ready
from pointsman.pages import read_page

PATIENCE = aiohttp.ClientTimeout(total=5.0)
_MOST_BYTES = 2**20
"""A report of all metrics that an engine may have, or of all adapters, is some kilobytes."""


def agent_address(pod: KubeObject) -> str:
    """Where the agent of a replica that can answer is; "" for any other."""
    address = (pod.get("status") or {}).get("podIP")
    return str(address or "") if is_ready(pod) and not is_being_deleted(pod) else ""


async def ask_agent(session: aiohttp.ClientSession, host: str, port: int, path: str) -> str | None:
    """What it tells; None where no agent answers, or one of a release that has nothing to tell."""
    try:
        # Anybody's pod may have our labels: it chooses neither who is asked nor how much is read.
        async with session.get(f"http://{in_url(host)}:{port}{path}", allow_redirects=False) as answer:
            if answer.status == 200:
                return (await read_page(answer, _MOST_BYTES)).decode()
    except (aiohttp.ClientError, TimeoutError, PointsmanError, UnicodeDecodeError):
        return None
    return None
