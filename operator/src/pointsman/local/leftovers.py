"""The gateway's Envoy of an `up` that was killed: it holds the port and serves what nobody updates, so it
is ended.
"""

from collections.abc import Callable
from typing import Any

from pointsman.errors import PointsmanError
from pointsman.local.processes import RunningProcess, adopt_or_end, identity_of
from pointsman.local.state import StateFolder, to_json, write_whole

_GRACE_SECONDS = 2.0


async def end_left_gateway(state: StateFolder) -> None:
    """End the Envoy that an earlier `up` left, if there is one."""

    async def no(document: dict[str, Any], process: RunningProcess) -> bool:
        return False

    await adopt_or_end(state.gateway_record, no, grace_seconds=_GRACE_SECONDS)


def gateway_recorder(state: StateFolder, say: Callable[[str], None]) -> Callable[[int], None]:
    """What to call with the process id of each Envoy that is started."""

    def record(pid: int) -> None:
        identity = identity_of(pid)
        if identity is None:
            return
        try:
            write_whole(state.gateway_record, to_json(identity.to_document()))
        except PointsmanError as error:
            # It serves all the same; after a kill the next start will find the port taken.
            say(str(error))

    return record
