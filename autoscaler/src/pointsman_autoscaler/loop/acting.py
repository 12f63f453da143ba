"""Carries out what `steps` say of the object as it is now."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from pointsman.api import ModelDeployment, ObjectKey
from pointsman.kube.errors import Conflict, NotFound
from pointsman.kube.objects import MODEL_DEPLOYMENT, KubeObject, metadata, resource_version_of, uid_of
from pointsman.kube.ports import Reader, Writer
from pointsman_autoscaler.loop.cluster import scaled
from pointsman_autoscaler.loop.metrics import AutoscalerMetrics
from pointsman_autoscaler.loop.steps import MANAGER, Told, Wish, steps
from pointsman_autoscaler.signals.watched import Blind

_log = structlog.get_logger("autoscaler")

Announce = Callable[[KubeObject, Told], None]


class Actor:
    """Writes for one leader."""

    def __init__(
        self, reader: Reader, writer: Writer, announce: Announce, metrics: AutoscalerMetrics
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._announce = announce
        self._metrics = metrics

    async def act(self, known: ModelDeployment, wanted: Wish | Blind) -> None:
        """Write what changed, if anything. Raises KubeError; what somebody changed meanwhile is left for the
        next look.
        """
        now = datetime.now(UTC)
        if steps(known, "", wanted, now).is_nothing:
            return
        for is_last in (False, True):
            try:
                await self._act(known, wanted, now)
                return
            except NotFound:
                return
            except Conflict as error:
                # Most often the operator wrote its status in between: then the number is as right as before.
                if is_last:
                    _log.info("changed_meanwhile", deployment=str(known.key), reason=str(error))

    async def _act(self, known: ModelDeployment, wanted: Wish | Blind, now: datetime) -> None:
        # What is known may be older than what we wrote ourselves.
        key = known.key
        live = await self._reader.get(MODEL_DEPLOYMENT, key)
        deployment = None if live is None or uid_of(live) != known.metadata.uid else scaled(live)
        if live is None or deployment is None:
            return
        todo = steps(deployment, writer_of_replicas(live), wanted, now)
        version, there = resource_version_of(live), deployment.spec.replicas
        if todo.scaling is not None:
            live = await self._say(live, todo.scaling)
            version = resource_version_of(live)
            there = live["spec"].get("replicas", there)
        if there != deployment.spec.replicas:
            return
        if todo.replicas is not None:
            await self._scale(key, todo.replicas, version)
        for told in todo.told:
            self._announce(live, told)

    async def _say(self, live: KubeObject, scaling: Mapping[str, Any]) -> KubeObject:
        """Over any version: the field is ours, and the rest of the status changes often."""
        meta = metadata(live)
        wanted = {
            "apiVersion": live["apiVersion"],
            "kind": live["kind"],
            "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
            "status": {"scaling": scaling},
        }
        answer = await self._writer.apply_status(wanted, MANAGER)
        self._metrics.wrote("status")
        return answer

    async def _scale(self, key: ObjectKey, replicas: int, version: str) -> None:
        """Over this version alone: a number that somebody wrote since is not lost."""
        await self._writer.scale(MODEL_DEPLOYMENT, key, replicas, MANAGER, resource_version=version)
        self._metrics.wrote("scale")
        _log.info("scaled", deployment=str(key), replicas=replicas)


def writer_of_replicas(live: KubeObject) -> str:
    """The field manager that owns spec.replicas, ours where it is one of several; "" where nobody does."""
    owners = [
        str(entry.get("manager", ""))
        for entry in metadata(live).get("managedFields") or ()
        if "f:replicas" in (entry.get("fieldsV1") or {}).get("f:spec", {})
        and entry.get("subresource") != "status"
    ]
    if MANAGER in owners:
        return MANAGER
    return owners[-1] if owners else ""
