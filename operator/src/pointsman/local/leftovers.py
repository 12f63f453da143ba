"""The gateway's Envoy of an `up` that was killed: it holds the port and serves what nobody updates, so it
is ended.
"""

from typing import Any

from pointsman.local.processes import RunningProcess, adopt_or_end
from pointsman.local.state import StateFolder

_GRACE_SECONDS = 2.0


async def end_left_gateway(state: StateFolder) -> None:
    """End the Envoy that an earlier `up` left, if there is one."""

    async def no(document: dict[str, Any], process: RunningProcess) -> bool:
        return False

    await adopt_or_end(state.gateway_record, no, grace_seconds=_GRACE_SECONDS)
