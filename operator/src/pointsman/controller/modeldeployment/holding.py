"""How many replicas are wanted while nobody has written spec.replicas: as many as run already. Pure.

ModelDeployments that were deleted with `--cascade=orphan` leave their replicas running. Applied again from a
manifest that names no number, they would get the default of the API: 1, and all replicas but one would end.
So the number that ran is held, in an annotation of each workload, until somebody writes one.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pointsman.api import GROUP, ModelDeployment
from pointsman.kube.difference import keep_own_fields
from pointsman.kube.objects import KubeObject, annotations_of, controller_of, labels_of, metadata
from pointsman.workloads import naming

HELD = f"{GROUP}/held-replicas"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_DEFAULT = 1  # as the definition of the kind has it
_CLIENT_SIDE = "kubectl-client-side-apply"


def keep(obj: KubeObject, managers: frozenset[str]) -> KubeObject:
    """The object with the managed fields of these managers alone, and whether spec.replicas was written."""
    kept = keep_own_fields(obj, managers)
    if not _somebody_wrote(obj):
        return kept
    written = {"operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    meta = metadata(kept)
    return {**kept, "metadata": {**meta, "managedFields": [*meta.get("managedFields", ()), written]}}


def is_written(kept: KubeObject) -> bool:
    """Whether spec.replicas of an object that was kept is somebody's word and not the API's default.

    The scale subresource of a custom resource notes no owner: any number but the default is a word too.
    """
    if kept.get("spec", {}).get("replicas", _DEFAULT) != _DEFAULT:
        return True
    entries = metadata(kept).get("managedFields") or ()
    return any(_has_replicas(entry) for entry in entries)


def _somebody_wrote(obj: KubeObject) -> bool:
    """An apply owns what its manifest says. Other writes are noted with defaults filled in: of those only
    the manifest that kubectl left behind tells whether the number was in it, and without one it counts.
    """
    owners = [entry for entry in metadata(obj).get("managedFields") or () if _has_replicas(entry)]
    if not owners:
        return False
    manifest = annotations_of(obj).get(_LAST_APPLIED)
    if manifest is None or any(entry.get("manager") != _CLIENT_SIDE for entry in owners):
        return True
    try:
        return "replicas" in json.loads(manifest)["spec"]
    except (ValueError, KeyError, TypeError):
        return True  # it is not kubectl's


def _has_replicas(entry: Mapping[str, Any]) -> bool:
    fields = entry.get("fieldsV1")
    return isinstance(fields, Mapping) and "f:replicas" in fields.get("f:spec", {})


def held(deployment: ModelDeployment, workloads: Sequence[KubeObject]) -> Mapping[str, int]:
    """Replicas of each pool as they run and are to be kept; none where the spec's default is to be followed.

    A workload that is not ours yet counts as it is; of one that is, only the number that was held counts:
    what somebody else set there since is put back, as ever.
    """
    found = {}
    for workload in workloads:
        number = _number(deployment, workload)
        if number is not None:
            found[labels_of(workload).get(naming.POOL, "")] = number
    return found


def _number(deployment: ModelDeployment, workload: KubeObject) -> int | None:
    noted = annotations_of(workload).get(HELD, "")
    if noted.isdecimal():
        return int(noted)
    if controller_of(workload) != deployment.metadata.uid:
        return int(workload.get("spec", {}).get("replicas") or 0)
    return None


def noted(workload: KubeObject, number: int) -> KubeObject:
    """The workload to apply, with the number that is held."""
    meta = metadata(workload)
    annotations = {**meta.get("annotations", {}), HELD: str(number)}
    return {**workload, "metadata": {**meta, "annotations": annotations}}
