"""One ModelDeployment in a cluster played in memory, which stores what is decided as an API server does.

`Cluster(manifest).settle()` decides and carries out until nothing is left to do; `step()` does it once and
says what it wrote. Only what decisions read is played: pods come and go by `run_pods`.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pointsman.api import FleetSettings, ModelDeployment, ObjectKey
from pointsman.catalog import Catalog, shipped_catalog
from pointsman.controller.modeldeployment.decide import decide
from pointsman.controller.modeldeployment.reconciler import OTHERS, WORKLOADS
from pointsman.controller.modeldeployment.snapshot import Contest, Obstacle, Platform, Reports, Snapshot
from pointsman.controller.plan import Plan
from pointsman.kube.objects import CONTROLLER_REVISION, Kind, KubeObject, key_of, kind_of, uid_of
from pointsman.placement import Inventory
from pointsman.workloads import Images, naming
from pointsman.workloads.surroundings import surroundings_of
from tests.support.manifests import overlaid

Json = dict[str, Any]

_uids = itertools.count(1)
"""Never one twice: what a uid names is remembered for the life of a process."""
_ROUNDS = 6
"""A decision that is not at rest after so many looks at its own result never is."""


def own_model(name: str = "chat", **spec: Any) -> Json:
    """A small model on CPUs, as the API server hands it out; `spec` overlays, None takes a field away."""
    stated = overlaid(
        {
            "model": {
                "source": "oci://models.example.com/gemma:1#weights.gguf",
                "contextLength": 2048,
                "quantization": "gguf",
                "facts": {"parameters": "270M", "layers": 18, "kvHeads": 1, "headDim": 256},
            },
            "engine": {"name": "llama.cpp"},
            "replicas": 1,
        },
        spec,
    )
    return _manifest(name, {key: value for key, value in stated.items() if value is not None})


def hosted_model(name: str = "chat") -> Json:
    """A provider's model."""
    return _manifest(
        name,
        {"hosted": {"provider": "openai", "baseURL": "https://api.openai.com/v1", "model": "gpt-5-mini"}},
    )


def _manifest(name: str, spec: Json) -> Json:
    return {
        "apiVersion": "pointsman.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": "default", "uid": "uid-1", "generation": 1},
        "spec": spec,
    }


SYSTEM_NAMESPACE = "pointsman-system"
"""Where the chart is installed in tests."""


class Cluster:
    """`children` are what was made, by kind and key; `deployment` is the object with its status."""

    def __init__(
        self,
        manifest: Json,
        *,
        fleet: FleetSettings | None = None,
        inventory: Inventory | None = None,
        replicas_written: bool = True,
    ) -> None:
        self.deployment = copy.deepcopy(manifest)
        self.children: dict[tuple[Kind, ObjectKey], Json] = {}
        self.pods: list[Json] = []
        self.contests: tuple[Contest, ...] = ()
        self.obstacle: Obstacle | None = None
        self.reports = Reports()
        self.fleet = fleet or FleetSettings()
        self.catalog: Catalog = shipped_catalog()
        self.inventory = inventory or Inventory()
        self.images = Images("registry.example.com/pointsman:1")
        self.surroundings = surroundings_of(self.fleet, SYSTEM_NAMESPACE)
        self.replicas_written = replicas_written
        self.minute = 0

    def change(self, manifest: Json) -> None:
        """A user writes another spec."""
        if manifest["spec"] != self.deployment["spec"]:
            self.deployment["metadata"]["generation"] += 1
        self.deployment["spec"] = copy.deepcopy(manifest["spec"])

    def snapshot(self) -> Snapshot:
        """What a look at the deployment sees, a minute after the one before."""
        self.minute += 1
        return Snapshot(
            deployment=ModelDeployment.model_validate(self.deployment, extra="ignore"),
            platform=Platform(self.fleet, self.catalog, self.inventory, self.images, self.surroundings),
            now=f"2026-01-01T{self.minute // 60:02}:{self.minute % 60:02}:00Z",
            revisions=self.of((CONTROLLER_REVISION,)),
            workloads=self.of(WORKLOADS),
            others=self.of(OTHERS),
            pods=tuple(self.pods),
            contests=self.contests,
            obstacle=self.obstacle,
            reports=self.reports,
            replicas_written=self.replicas_written,
        )

    def of(self, kinds: Iterable[Kind]) -> tuple[Json, ...]:
        """The children of these kinds."""
        wanted = frozenset(kinds)
        return tuple(child for (kind, _), child in self.children.items() if kind in wanted)

    def kinds(self) -> list[str]:
        return sorted(kind.kind for kind, _ in self.children)

    def workload(self) -> Json:
        """The only one."""
        [found] = self.of(WORKLOADS)
        return found

    def templates(self) -> list[Any]:
        return [child["spec"]["template"] for child in self.of(WORKLOADS)]

    def condition(self, kind: str) -> tuple[str, str]:
        """Status and reason, as the status says."""
        said = {one["type"]: one for one in self.deployment.get("status", {}).get("conditions", ())}
        return said[kind]["status"], said[kind]["reason"]

    def message(self, kind: str) -> str:
        said = {one["type"]: one for one in self.deployment["status"]["conditions"]}
        return str(said[kind].get("message", ""))

    def plan(self) -> Plan:
        return decide(self.snapshot())

    def step(self) -> list[str]:
        """Decide once and carry it out; names what was written."""
        return self.carry_out(self.plan())

    def carry_out(self, plan: Plan, writes: int | None = None) -> list[str]:
        """Do what a plan asks for, its first `writes` writes only where given; names those that changed
        something.
        """
        written: list[str] = []
        for wanted in plan.apply:
            if writes is not None and len(written) >= writes:
                return written
            if self._apply(wanted):
                written.append(f"{wanted['kind']} {wanted['metadata']['name']}")
        for doomed in plan.delete:
            if writes is not None and len(written) >= writes:
                return written
            held = self.children.get((doomed.kind, doomed.key))
            if held is not None and uid_of(held) == doomed.uid:
                del self.children[doomed.kind, doomed.key]
                written.append(f"no {doomed.kind.kind} {doomed.key.name}")
        if plan.status is not None and (writes is None or len(written) < writes):
            status = _stored(plan.status["status"])
            if status != self.deployment.get("status"):
                self.deployment["status"] = status
                written.append("status")
        return written

    def settle(self) -> int:
        """Decide until nothing is written; gives how many times something was."""
        for rounds in range(_ROUNDS):
            written = self.step()
            if not written:
                return rounds
        raise AssertionError(f"it never rests: {written} is written again and again")

    def run_pods(self, *, ready: bool = True) -> None:
        """The pods that the workloads ask for, all started, and nothing of former ones."""
        self.pods = []
        for child in self.of(WORKLOADS):
            child["status"] = {"observedGeneration": child["metadata"]["generation"]}
            for number in range(child["spec"]["replicas"]):
                self.pods.append(_pod(f"{child['metadata']['name']}-{number}", child, ready=ready))

    def orphan(self) -> None:
        """The deployment is deleted, what it owned stays, and it is made again by another name of a uid."""
        for child in self.children.values():
            child["metadata"].pop("ownerReferences", None)
        self.deployment["metadata"]["uid"] += "-again"
        self.deployment.pop("status", None)

    def _apply(self, wanted: KubeObject) -> bool:
        place = kind_of(wanted), key_of(wanted)
        stored = _stored(wanted)
        held = self.children.get(place)
        system: Json = {"uid": "", "generation": 0} if held is None else held["metadata"]
        if held is not None and _intent(held) == stored:
            return False
        changed = held is None or held.get("spec") != stored.get("spec")
        if held is None:
            system = {"uid": f"uid-child-{next(_uids)}", "generation": 0}
        stored["metadata"] |= {"uid": system["uid"], "generation": system["generation"] + int(changed)}
        if held is not None and "status" in held:
            stored["status"] = held["status"]
        self.children[place] = stored
        return True


def _pod(name: str, workload: KubeObject, *, ready: bool) -> Json:
    template = workload["spec"]["template"]
    state = {"running": {}} if ready else {"waiting": {"reason": "PodInitializing"}}
    return {
        "metadata": {"name": name, "labels": dict(template["metadata"]["labels"])},
        "status": {
            "phase": "Running" if ready else "Pending",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [{"name": "engine", "ready": ready, "state": state}],
        },
    }


def of_revision(pod: Json, revision: str) -> Json:
    """The pod as one of another rendering."""
    relabelled = copy.deepcopy(pod)
    relabelled["metadata"]["labels"][naming.REVISION] = revision
    return relabelled


def _intent(held: KubeObject) -> Json:
    """What of a stored object somebody asked for."""
    meta = {name: value for name, value in held["metadata"].items() if name not in ("uid", "generation")}
    return {name: value for name, value in held.items() if name != "status"} | {"metadata": meta}


def _stored(value: Mapping[str, Any]) -> Json:
    """JSON as it comes back: without nulls, and with 1 for 1.0."""
    found: Json = json.loads(json.dumps(_normal(value)))
    return found


def _normal(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _normal(member) for name, member in value.items() if member is not None}
    if isinstance(value, list | tuple):
        return [_normal(member) for member in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
