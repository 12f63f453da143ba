"""Transitions played on a real API server, in a namespace, beside a real operator; what became of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError
from tests.support.cluster.installation import OperatorProcess
from tests.support.decided_world import holding, normal, stated
from tests.support.owned_fields import as_far_as, is_created, owned_part
from tests.support.polling import eventually
from tests.support.transitions import ROUTE, Transition

Json = dict[str, Any]

API = "pointsman.dev/v1alpha1"
OPERATOR = "pointsman-operator"
LABEL = "pointsman.dev/deployment"
CHILDREN = {
    "Deployment": "apps/v1",
    "Service": "v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1",
    "ConfigMap": "v1",
    "ControllerRevision": "apps/v1",
}
_SEEN_SECONDS = 120.0


class Played:
    """One namespace, in which only these transitions happen."""

    def __init__(self, admin: Admin, namespace: str, operator: OperatorProcess) -> None:
        self.admin = admin
        self.namespace = namespace
        self._operator = operator

    def play(self, transition: Transition) -> None:
        """One transition. Only what people wait for too is waited for: that a deleted object is gone."""
        name, value = transition.name, transition.value
        match transition.act:
            case "write":
                self.write(name, value)
            case "scale":
                # There may be none, and a provider's model has one replica.
                with suppress(ApiError):
                    change = {"spec": {"replicas": value}}
                    self.admin.patch(
                        API, "ModelDeployment", name, change, self.namespace, subresource="scale"
                    )
            case "delete" | "orphan":
                kind = "ModelRoute" if name == ROUTE else "ModelDeployment"
                propagation = "Orphan" if transition.act == "orphan" else "Background"
                self.admin.delete(API, kind, name, self.namespace, propagation=propagation)
                self.admin.wait_gone(API, kind, name, self.namespace)
            case "lose":
                for child in self._children(value, name):
                    self.admin.delete(CHILDREN[value], value, child["metadata"]["name"], self.namespace)
            case "look":
                eventually(self._is_seen, _SEEN_SECONDS, f"the operator has seen {self.namespace}")
            case "kill":
                self._operator.kill()
                self._operator.start()

    def write(self, name: str, spec: Json) -> None:
        """Server-side apply of the whole manifest."""
        kind = "ModelRoute" if name == ROUTE else "ModelDeployment"
        if name == ROUTE:
            spec = {**spec, "models": [one.replace("default", self.namespace) for one in spec["models"]]}
        manifest = {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec}
        self.admin.apply(manifest, self.namespace, force=True)

    def specs(self) -> Json:
        """Of all that is there, by name, as they could be written elsewhere."""
        listed = (
            one
            for kind in ("ModelDeployment", "ModelRoute")
            for one in self.admin.list(API, kind, self.namespace)
        )
        return self._unnamed({one["metadata"]["name"]: one["spec"] for one in listed})

    def whole(self) -> Json:
        """Everything that is there, as the API server holds it, but for what is passing."""
        state = self._state(lambda child: child)
        for route in self.admin.list(API, "ModelRoute", self.namespace):
            state[route["metadata"]["name"]] = normal({part: route.get(part) for part in ("spec", "status")})
        return self._unnamed(state)

    def owned(self, model: Json) -> Json:
        """The same as the operator said it, for the comparison with a model that knows nothing else. Of what
        was created and never changed nothing went: as far as the model says anything of it.
        """
        created: set[tuple[str, str]] = set()

        def part_of(child: Json) -> Json:
            if not is_created(child, OPERATOR):
                found: Json = owned_part(child, OPERATOR)
                return found
            created.add((child["metadata"]["labels"][LABEL], f"{child['kind']} {child['metadata']['name']}"))
            return child

        state = self._unnamed(self._state(part_of))
        for name, child in created:
            said = model.get(name, {}).get("children", {}).get(child, {})
            children = state[name]["children"]
            children[child] = as_far_as(children[child], said)
        return state

    def _is_seen(self) -> bool:
        for one in self.admin.list(API, "ModelDeployment", self.namespace):
            said = one.get("status", {}).get("observedGeneration", 0)
            assert said == one["metadata"]["generation"], f"{one['metadata']['name']}: {said}"
        return True

    def _children(self, kind: str, name: str) -> list[Json]:
        found = self.admin.list(CHILDREN[kind], kind, self.namespace, labels=f"{LABEL}={name}")
        return [{"apiVersion": CHILDREN[kind], "kind": kind, **one} for one in found]

    def _state(self, part_of: Callable[[Json], Json]) -> Json:
        state: Json = {}
        for one in self.admin.list(API, "ModelDeployment", self.namespace):
            name = one["metadata"]["name"]
            children = holding(child for kind in CHILDREN for child in self._children(kind, name))
            state[name] = {
                "spec": one["spec"],
                "status": normal(one.get("status", {})),
                "children": {
                    f"{child['kind']} {child['metadata']['name']}": stated(
                        {**part_of(dict(child)), "kind": child["kind"]}
                    )
                    for child in children
                },
            }
        return state

    def _unnamed(self, state: Json) -> Json:
        found: Json = json.loads(json.dumps(state).replace(self.namespace, "default"))
        return found
