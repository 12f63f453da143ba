"""What is known of objects goes with them, also where a watch tells of an end before the answer comes."""

from __future__ import annotations

import tracemalloc
from typing import Any

from pointsman.api import ObjectKey
from pointsman.controller.children import Children
from pointsman.kube.objects import SERVICE

_OBJECTS = 5_000
_BYTES = 200_000


def service(number: int) -> dict[str, Any]:
    meta = {"name": f"s-{number}", "namespace": "models", "uid": f"u-{number}", "resourceVersion": "1"}
    labels = {"pointsman.dev/deployment": "chat"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {**meta, "labels": labels}}


def test_a_deletion_that_the_watch_told_first_leaves_nothing() -> None:
    children = Children(lambda _: None)
    hear = children.listener(SERVICE)
    tracemalloc.start()
    try:
        for number in range(_OBJECTS):
            hear(None, service(number))
            hear(service(number), None)
            children.deleted(SERVICE, ObjectKey("models", f"s-{number}"), f"u-{number}")
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < _BYTES


def test_what_was_deleted_is_gone_before_the_watch_tells() -> None:
    children = Children(lambda _: None)
    children.listener(SERVICE)(None, service(1))
    children.deleted(SERVICE, ObjectKey("models", "s-1"), "u-1")
    assert children.get(SERVICE, ObjectKey("models", "s-1")) is None
    assert children.of(ObjectKey("models", "chat"), (SERVICE,)) == ()
