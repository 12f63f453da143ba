"""Two objects with one name, one after the other: what is told late of the former counts for nothing."""

from __future__ import annotations

from typing import Any

from pointsman.api import ObjectKey
from pointsman.controller.identity import Ident
from pointsman.controller.primaries import Primaries
from pointsman.kube.objects import MODEL_DEPLOYMENT, uid_of

CHAT = ObjectKey("models", "chat")


def chat(uid: str, version: int) -> dict[str, Any]:
    meta = {"name": "chat", "namespace": "models", "uid": uid, "resourceVersion": str(version)}
    return {"apiVersion": "pointsman.dev/v1alpha1", "kind": "ModelDeployment", "metadata": meta, "spec": {}}


def held(primaries: Primaries) -> str:
    found = primaries.get(CHAT)
    return uid_of(found) if found is not None else ""


def test_the_end_of_a_former_object_is_not_the_end_of_the_one_that_is_there() -> None:
    told: list[Ident] = []
    primaries = Primaries(MODEL_DEPLOYMENT, told.append)
    assert primaries.saw(chat("former", 5), False)
    assert primaries.saw(chat("present", 9), False)
    told.clear()
    assert not primaries.saw(chat("former", 8), True)
    assert not primaries.saw(chat("former", 7), False)
    assert (held(primaries), told) == ("present", [])


def test_an_end_and_a_beginning_in_their_order_are_both_told() -> None:
    told: list[Ident] = []
    primaries = Primaries(MODEL_DEPLOYMENT, told.append)
    assert primaries.saw(chat("former", 5), False)
    assert primaries.saw(chat("former", 8), True)
    assert held(primaries) == ""
    assert primaries.saw(chat("present", 9), False)
    assert held(primaries) == "present"
    assert primaries.saw(chat("present", 12), True)
    assert (held(primaries), len(told)) == ("", 4)
