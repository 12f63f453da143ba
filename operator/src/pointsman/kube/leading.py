"""A replica as one of several: it waits to be elected, leads, and waits again once it leads no longer."""

from collections.abc import Awaitable, Callable
from typing import NoReturn

import structlog

from pointsman.kube.connection import Connection
from pointsman.kube.errors import LeadershipLost
from pointsman.kube.fence import Fence
from pointsman.kube.lease import Election
from pointsman.kube.reader import KubeReader
from pointsman.kube.replica import ReplicaSettings
from pointsman.kube.writer import KubeWriter

_log = structlog.get_logger(__name__)


async def lead_whenever_elected(
    connection: Connection, settings: ReplicaSettings, lead: Callable[[KubeWriter], Awaitable[None]]
) -> NoReturn:
    """Run `lead` each time that this replica is elected, and cancel it when it is no longer. What it is given
    writes only as long as it leads.
    """

    async def fenced(fence: Fence) -> None:
        await lead(KubeWriter(connection, fence))

    while True:
        election = Election(KubeReader(connection), KubeWriter(connection), settings.lease, settings.identity)
        try:
            await election.run(fenced)
        except LeadershipLost as error:
            _log.warning("leadership_lost", why=str(error))
