"""Fields are taken out of an intent by the names that conflicts have."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.kube.field_paths import without_fields

ENGINE = {
    "name": "engine",
    "image": "vllm:1",
    "ports": [{"containerPort": 8000}, {"containerPort": 9465, "protocol": "TCP"}],
}
INTENT: dict[str, Any] = {
    "metadata": {"annotations": {"example.com/a": "1", "example.com/a.b": "2"}, "finalizers": ["x", "y"]},
    "spec": {"replicas": 1, "containers": [{"name": "agent", "image": "agent:1"}, ENGINE]},
}


def looked_up(path: tuple[str | int, ...], value: Any) -> Any:
    for step in path:
        value = value[step]
    return value


CASES: dict[str, tuple[str, tuple[str | int, ...], Any]] = {
    "a member": (".spec.replicas", ("spec",), {"containers": INTENT["spec"]["containers"]}),
    "a name with dots, and not one that begins so": (
        ".metadata.annotations.example.com/a",
        ("metadata", "annotations"),
        {"example.com/a.b": "2"},
    ),
    "the longer of two names": (
        ".metadata.annotations.example.com/a.b",
        ("metadata", "annotations"),
        {"example.com/a": "1"},
    ),
    "a member of an item": (
        '.spec.containers[name="agent"].image',
        ("spec", "containers"),
        [{"name": "agent"}, ENGINE],
    ),
    "an item": ('.spec.containers[name="engine"]', ("spec", "containers"), [INTENT["spec"]["containers"][0]]),
    "an item with a key that is filled in": (
        '.spec.containers[name="engine"].ports[containerPort=8000,protocol="TCP"]',
        ("spec", "containers", 1, "ports"),
        [{"containerPort": 9465, "protocol": "TCP"}],
    ),
    "a value of a set": ('.metadata.finalizers[="x"]', ("metadata", "finalizers"), ["y"]),
    "nothing that is there": (".spec.paused", (), INTENT),
}


@pytest.mark.parametrize(("path", "place", "left"), CASES.values(), ids=CASES)
def test_a_field_is_taken_out_and_nothing_else(path: str, place: tuple[str | int, ...], left: Any) -> None:
    found = without_fields(INTENT, [path])
    assert looked_up(place, found) == left
    others = {name: value for name, value in found.items() if not place or name != place[0]}
    assert others == {name: value for name, value in INTENT.items() if name in others}
