"""A process that leads and counts up in a ConfigMap as fast as it can, to be stopped by a test in the middle.

`python -m tests.support.leading_writer KUBECONFIG NAMESPACE`
"""

import asyncio
import sys

from pointsman.api.meta import ObjectKey
from pointsman.kube.connection import Connection
from pointsman.kube.credentials import Kubeconfig
from pointsman.kube.errors import Conflict, LeadershipLost
from pointsman.kube.fence import Fence
from pointsman.kube.lease import Election, ElectionSettings
from pointsman.kube.objects import resource_version_of
from pointsman.kube.reader import KubeReader
from pointsman.kube.writer import KubeWriter
from tests.support.kube_objects import config_map

_SETTINGS = ElectionSettings(lease_seconds=6, renew_seconds=4.5, retry_seconds=0.2)


async def _main(kubeconfig: str, namespace: str) -> None:
    async with Connection(Kubeconfig(kubeconfig)) as connection:

        async def lead(fence: Fence) -> None:
            writer = KubeWriter(connection, fence)
            wanted = config_map("counter", namespace, data={"count": "1"})
            while True:
                there = await writer.apply(wanted, "leading-writer")
                wanted = config_map(
                    "counter", namespace, data={"count": str(int(there["data"]["count"]) + 1)}
                )
                # Between the look at the fence and the system call lie microseconds, in which a process may
                # be stopped as well: what was written over since is not overwritten.
                wanted["metadata"]["resourceVersion"] = resource_version_of(there)

        election = Election(
            KubeReader(connection),
            KubeWriter(connection),
            ObjectKey(namespace, "pointsman-operator"),
            "first",
            _SETTINGS,
        )
        try:
            await election.run(lead)
        except (LeadershipLost, Conflict) as error:
            print(f"{type(error).__name__}: {error}", flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2]))
