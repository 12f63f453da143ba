"""Whatever was written before, what runs and is said hangs on the last specs alone: on a real API server.

And the model on which ten thousand are tried (tests/property/controller/test_transitions.py) ends where the
real one does.
"""

from __future__ import annotations

import copy
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from pointsman.api import FleetSettings
from pointsman.catalog import shipped_catalog
from pointsman.controller.modeldeployment.adapters import LOADING, NO_REPLICA, SILENT
from pointsman.placement import inventory
from tests.integration.operator.played import Played
from tests.support.cluster.admin import Admin
from tests.support.cluster.installation import OperatorProcess
from tests.support.decided_world import World, end_state
from tests.support.polling import eventually
from tests.support.transitions import Transition, transitions

LENGTH = 40
_SETTLED_SECONDS = 120.0


@contextmanager
def own_namespace(admin: Admin) -> Iterator[str]:
    name = f"walk-{secrets.token_hex(5)}"
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    admin.wait_for("v1", "ServiceAccount", "default", name)
    yield name
    admin.delete("v1", "Namespace", name)


def the_end_is_that_of_the_last_specs(
    admin: Admin, operator: OperatorProcess, played: list[Transition]
) -> None:
    model = World(inventory(admin.list("v1", "Node"), FleetSettings(), shipped_catalog()))
    with own_namespace(admin) as walked, own_namespace(admin) as quiet:
        walk, fresh = Played(admin, walked, operator), Played(admin, quiet, operator)
        for transition in played:
            walk.play(transition)
            model.play(transition)
        model.look()
        for name, spec in walk.specs().items():
            fresh.write(name, spec)
        eventually(lambda: all_settled(fresh.whole()), _SETTLED_SECONDS, "the fresh namespace is settled")
        eventually(
            lambda: same(that_ends(walk.whole()), that_ends(fresh.whole())),
            _SETTLED_SECONDS,
            "both end the same",
        )
        end = end_state(model)
        eventually(
            lambda: same(that_ends(unasked(walk.owned(end))), that_ends(unasked(end))),
            _SETTLED_SECONDS,
            "the model ends there too",
        )


def all_settled(state: dict[str, Any]) -> bool:
    for name, one in state.items():
        said = {entry["type"]: entry for entry in (one.get("status") or {}).get("conditions", ())}
        if "children" in one:
            done = {"Complete", "VolumeNotFound"} if _mounts_adapters(one) else {"Complete"}
            assert said.get("Progressing", {}).get("reason") in done, (name, said)
        else:
            assert said, name
    return True


def that_ends(state: dict[str, Any]) -> dict[str, Any]:
    """The state without what is said where pods wait for a claim for ever: a former version, where there was
    one, serves until then, and routes say so.
    """
    if not any(_mounts_adapters(one) for one in state.values()):
        return state
    return {
        name: {**one, "status": None} if _mounts_adapters(one) or "children" not in one else one
        for name, one in state.items()
    }


def _mounts_adapters(one: dict[str, Any]) -> bool:
    """Of a claim that is not there: its pods wait for it, and the status says so."""
    adapters = one.get("spec", {}).get("model", {}).get("adapters", ())
    return any(adapter["source"].startswith("pvc://") for adapter in adapters)


def unasked(state: dict[str, Any]) -> dict[str, Any]:
    """Without what agents were heard to say of adapters. Played pods have none, which the operator finds out
    after some seconds; the model asks nobody.
    """
    found: dict[str, Any] = copy.deepcopy(state)
    for one in found.values():
        status = one.get("status") or {}
        for adapter in status.get("adapters", ()):
            if adapter.get("reason") in (SILENT, LOADING, NO_REPLICA):
                adapter["reason"] = SILENT
        for said in status.get("conditions", ()):
            if said["reason"] == "AdapterNotLoaded" and SILENT in said["message"]:
                said |= {"status": "True", "reason": "Available", "message": ""}
    return found


def same(one: Any, other: Any) -> bool:
    differing = list(differences(one, other, ""))
    assert differing == [], "\n".join(differing[:12])
    return True


def differences(one: Any, other: Any, path: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            yield from differences(one.get(name), other.get(name), f"{path}/{name}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from differences(mine, theirs, f"{path}/{index}")
    elif one != other:
        yield f"{path}: {str(one)[:150]} != {str(other)[:150]}"


@pytest.mark.timeout(600)
def test_200_transitions(admin: Admin, operator: OperatorProcess) -> None:
    walks(admin, operator, 5)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_4_000_transitions(admin: Admin, operator: OperatorProcess) -> None:
    walks(admin, operator, 100)


def walks(admin: Admin, operator: OperatorProcess, count: int) -> None:
    """A walk that fails is not made shorter: each try takes seconds."""

    @given(transitions(LENGTH))
    @settings(
        max_examples=count,
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    def walk(played: list[Transition]) -> None:
        the_end_is_that_of_the_last_specs(admin, operator, played)

    walk()
