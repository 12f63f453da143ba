"""What all deployments share, as it is now: settings that stand, and nodes that come and go."""

from collections.abc import Callable, Mapping

from pointsman.api import ObjectKey
from pointsman.catalog import Catalog
from pointsman.controller.modeldeployment.snapshot import Platform
from pointsman.controller.settings import OperatorSettings
from pointsman.kube.clock import Clock, elapsed_seconds
from pointsman.kube.objects import KubeObject, metadata
from pointsman.placement import Inventory, inventory
from pointsman.workloads import Surroundings, surroundings_of

FRESH_SECONDS = 1.0
"""What is free moves with each pod of a thousand deployments; looked at once a second it costs nothing."""


class PlatformView:
    """Give it to reconcilers as a function: `view()` is the platform now. `abilities` adds to what the fleet
    settings say what the API server can. `others` are pods of anybody else, kept as by `devices_alone`.
    """

    def __init__(
        self,
        settings: OperatorSettings,
        catalog: Catalog,
        nodes: Mapping[ObjectKey, KubeObject],
        pods: Mapping[ObjectKey, KubeObject],
        others: Mapping[ObjectKey, KubeObject],
        abilities: Callable[[Surroundings], Surroundings],
        clock: Clock = elapsed_seconds,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._nodes = nodes
        self._pods = pods
        self._others = others
        self._abilities = abilities
        self._surroundings = surroundings_of(settings.fleet, settings.system_namespace)
        self._clock = clock
        self._inventory = Inventory()
        self._read: dict[ObjectKey, tuple[KubeObject, KubeObject | None]] = {}
        self._looked_at = float("-inf")

    def __call__(self) -> Platform:
        now = self._clock()
        if now - self._looked_at >= FRESH_SECONDS:
            self._looked_at = now
            self._inventory = inventory(
                self._nodes.values(),
                self._settings.fleet,
                self._catalog,
                self._pods_with_devices(),
                (pod for pod in self._others.values() if asks_for_devices(pod)),
            )
        return Platform(
            fleet=self._settings.fleet,
            catalog=self._catalog,
            inventory=self._inventory,
            images=self._settings.images,
            surroundings=self._abilities(self._surroundings),
        )

    def _pods_with_devices(self) -> list[KubeObject]:
        """What counts of pods that ask for devices. Each is read once a version: a thousand that are kept as
        text would be a tenth of a core otherwise.
        """
        known, self._read = self._read, {}
        for key, pod in self._pods.items():
            was = known.get(key)
            self._read[key] = was if was is not None and was[0] is pod else (pod, _devices_of(pod))
        return [asking for _, asking in self._read.values() if asking is not None]


def devices_alone(pod: KubeObject) -> KubeObject:
    """Of somebody else's pod what is kept: which it is, and the devices that it takes from a node."""
    meta = metadata(pod)
    known = {name: meta.get(name) for name in ("namespace", "name", "uid", "resourceVersion")}
    return {"metadata": known, **(_devices_of(pod) or {})}


def asks_for_devices(pod: KubeObject | None) -> bool:
    """Of one that is kept as by `devices_alone`."""
    return pod is not None and "spec" in pod


def _devices_of(pod: KubeObject) -> KubeObject | None:
    """Where a pod is and the extended resources that it asks for; None where it asks for none."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    containers = []
    for container in spec.get("containers") or ():
        limits = (container.get("resources") or {}).get("limits") or {}
        asked = {resource: amount for resource, amount in limits.items() if "/" in resource}
        if asked:
            containers.append({"resources": {"limits": asked}})
    if not containers:
        return None
    return {
        "spec": {"nodeName": spec.get("nodeName"), "containers": containers},
        "status": {"phase": status.get("phase")},
    }
