"""Objects of tests on a real API server, as they are applied or made by us, and what remains of an intent."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

from hypothesis import assume, event
from hypothesis import strategies as st

from pointsman.kube.connection import JSON_PATCH
from pointsman.kube.difference import differences
from pointsman.kube.made import as_applied, is_made, maker
from pointsman.kube.objects import kind_of
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError
from tests.support.kube_strategies import EVERY_KIND, Json

MANAGER = "pointsman-test"
_numbers = itertools.count(1)


def text(found: object) -> str:
    return "; ".join(map(str, found)) if isinstance(found, tuple) else str(found)


class Applied:
    """An object of its own name on the API server, applied by us."""

    def __init__(self, admin: Admin, namespace: str, wanted: Json) -> None:
        self.admin = admin
        self.namespace = namespace
        self.name = f"drawn-{next(_numbers)}"
        self.live = self.begin(wanted)

    def begin(self, wanted: Json) -> Json:
        return self.apply(wanted)

    def named(self, wanted: Json) -> Json:
        return {**wanted, "metadata": {**wanted["metadata"], "name": self.name, "namespace": self.namespace}}

    def apply(self, wanted: Json) -> Json:
        self.live = self.admin.apply(self.named(wanted), self.namespace, manager=MANAGER, force=True)
        return self.live

    def differences(self, wanted: Json) -> tuple[Any, ...]:
        return differences(self.live, self.named(wanted), MANAGER)

    def remove(self) -> None:
        api_version, kind = self.live["apiVersion"], self.live["kind"]
        if self.live["metadata"].get("finalizers"):
            self.admin.patch(api_version, kind, self.name, {"metadata": {"finalizers": None}}, self.namespace)
        self.admin.delete(api_version, kind, self.name, self.namespace)


CREATED = tuple(kind for kind in EVERY_KIND if kind != "ControllerRevision")
"""A revision's data is kept as it was spelt, and nobody can patch what is spelt in another way than Go's."""


class Made(Applied):
    """The same created by us, and turned into an applied one before something else is applied."""

    def begin(self, wanted: Json) -> Json:
        named = self.named(wanted)
        path = kind_of(named).collection(self.namespace)
        # Defaults are noted as ours, as for any that creates.
        parameters = {"fieldManager": maker(MANAGER, named)}
        created: Json = self.admin.request("POST", path, named, parameters=parameters)
        return created

    def apply(self, wanted: Json) -> Json:
        if is_made(self.live, MANAGER):
            entries = as_applied(self.live["metadata"]["managedFields"], MANAGER)
            self.live = self.admin.patch(
                self.live["apiVersion"],
                self.live["kind"],
                self.name,
                [{"op": "replace", "path": "/metadata/managedFields", "value": entries}],
                self.namespace,
                content_type=JSON_PATCH,
            )
        return super().apply(wanted)


def applied_or_refused(admin: Admin, namespace: str, wanted: Json, how: type[Applied] = Applied) -> Applied:
    """What the API server refuses as invalid is not looked at."""
    try:
        begun = how(admin, namespace, wanted)
        # Of what says nothing at all no creation is noted; whatever we make has labels.
        assume(how is Applied or is_made(begun.live, MANAGER))
        return begun
    except ApiError as error:
        event(f"refused with {error.status}: {str(error)[:60]}")
        assume(False)
        raise


@st.composite
def without_a_part(draw: st.DrawFn, wanted: Json) -> Json:
    """The same without one member, or one item of a list, of its metadata, data or spec."""
    after = copy.deepcopy(wanted)
    places = [place for place in _places(after) if not isinstance(place[1], str) or place[1] not in _NEEDED]
    assume(places)
    holder, name = draw(st.sampled_from(places))
    # An empty map or list is another thing than none, and our own objects do not have it.
    assume(len(holder) > 1)
    del holder[name]
    return after


# What Kubernetes asks for, so that an object without it is not one that we apply.
_NEEDED = {
    "apiVersion",
    "containers",
    "image",
    "kind",
    "metadata",
    "name",
    "podSelector",
    "selector",
    "spec",
    "template",
    "value",
}


def content(live: Json) -> Json:
    """All but who owns what and when."""
    left_out = {"managedFields", "resourceVersion", "generation"}
    meta = {name: value for name, value in live["metadata"].items() if name not in left_out}
    return {**live, "metadata": meta}


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for name, member in list(members):
        yield value, name
        if isinstance(member, dict | list):
            yield from _places(member)


def without_names(one: Applied) -> Any:
    found = content(one.live)
    passing = {"name", "uid", "creationTimestamp"}
    meta = {name: value for name, value in found["metadata"].items() if name not in passing}
    spec = {name: v for name, v in found.get("spec", {}).items() if name not in {"clusterIP", "clusterIPs"}}
    return _without_pull_policies({**found, "metadata": meta, "spec": spec, "status": None})


def _without_pull_policies(value: Any) -> Any:
    """The API server chooses one by the image, and keeps the former choice where an apply changed that."""
    if isinstance(value, dict):
        kept = (name for name in value if name != "imagePullPolicy")
        return {name: _without_pull_policies(value[name]) for name in kept}
    return [_without_pull_policies(item) for item in value] if isinstance(value, list) else value
