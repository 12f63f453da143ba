"""A rendering is kept as data and made anew only for what concerns pods."""

import json
from typing import Any

import pytest

from pointsman.api import ModelDeployment
from pointsman.catalog import shipped_catalog
from pointsman.errors import PointsmanError
from pointsman.workloads import (
    Images,
    Rendering,
    Renewal,
    controller_revision,
    freeze,
    frozen_placement,
    frozen_rendering,
    renewal,
    spec_hash,
)
from tests.support.builders import deployment
from tests.support.placement_results import placed, pool


def made(**spec: Any) -> ModelDeployment:
    return deployment("m", metadata={"uid": "u-1"}, spec=spec)


def frozen(own: ModelDeployment) -> Rendering:
    return freeze(own, placed(pool(devices=2)), shipped_catalog(), Images("agent:1"))


MOVES_NOTHING: dict[str, dict[str, Any]] = {
    "how many replicas there are": {"replicas": 7},
    "who scales them": {"scaling": {"mode": "off", "maxReplicas": 4}},
    "how long a drain may take": {"drain": {"timeout": "1h"}},
    "who may send requests": {"allowedRoutes": {"namespaces": "Same"}},
    "what is said of the model": {"tier": "brain", "license": "mit", "dataClasses": ["public"]},
    "a default that is written out": {"hardware": {"objective": "cost"}, "tasks": ["chat", "completion"]},
    "an empty part": {"template": {}, "hardware": {}},
}

MOVES: dict[str, dict[str, Any]] = {
    "another revision": {"model": {"revision": "2"}},
    "another engine version": {"engine": {"version": "0.32.0"}},
    "another argument": {"engine": {"args": ["--enforce-eager"]}},
    "another name": {"model": {"servedNames": ["n"]}},
    "another task": {"tasks": ["chat"]},
    "other hardware": {"hardware": {"accelerators": ["L4"]}},
    "another overlay": {"template": {"labels": {"team": "b"}}},
}


@pytest.mark.parametrize("spec", MOVES_NOTHING.values(), ids=MOVES_NOTHING.keys())
def test_a_rendering_holds_while_no_pod_is_concerned(spec: dict[str, Any]) -> None:
    assert renewal(made(**spec), frozen(made())) is None


@pytest.mark.parametrize("spec", MOVES.values(), ids=MOVES.keys())
def test_a_rendering_is_made_anew_for_pods(spec: dict[str, Any]) -> None:
    assert renewal(made(**spec), frozen(made())) is Renewal.SPEC_CHANGED


def test_the_other_reasons_to_make_it_anew() -> None:
    kept = frozen(made())
    assert renewal(made(), None) is Renewal.FIRST
    assert renewal(made(refresh="2026-11"), kept) is Renewal.REFRESH_ASKED
    assert renewal(made(), kept, feasible=False) is Renewal.INFEASIBLE


def test_a_revision_gives_back_what_it_keeps() -> None:
    kept = frozen(made(engine={"chatTemplate": "x"}))
    revision = controller_revision(made(), kept, 3)
    assert (revision["kind"], revision["revision"]) == ("ControllerRevision", 3)
    assert revision["metadata"]["name"] == f"m-{kept.name}"
    assert frozen_rendering(revision) == kept
    assert frozen_placement(revision) == kept.placement


def test_a_revision_that_keeps_it_as_objects_is_read_too() -> None:
    kept = frozen(made())
    assert frozen_rendering({"data": json.loads(json.dumps(kept.to_json()))}) == kept


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no data": ({"metadata": {"name": "m-1"}}, "m-1: the ControllerRevision holds no rendering"),
    "with a text that is cut": ({"data": {"rendering": "{"}}, "the ControllerRevision holds no rendering"),
    "with no text": ({"data": {"rendering": []}}, "the ControllerRevision holds no rendering"),
    "of a later version": ({"data": {"format": 2}}, "was written by another version of Pointsman"),
    "with a part missing": ({"data": {"format": 1}}, "the frozen rendering is damaged"),
}


@pytest.mark.parametrize(("revision", "want"), BROKEN.values(), ids=BROKEN.keys())
def test_a_revision_that_cannot_be_read_says_so(revision: dict[str, Any], want: str) -> None:
    with pytest.raises(PointsmanError) as refused:
        frozen_rendering(revision)
    assert want in str(refused.value)
    with pytest.raises(PointsmanError):
        frozen_placement(revision)


def test_the_hash_of_a_spec_is_the_same_in_each_release() -> None:
    """A changed hash would restart every pod of every fleet at an upgrade."""
    own = deployment(
        "m", source="hf://Qwen/Qwen3-32B", spec={"model": {"revision": "1"}, "hardware": {"nodes": 2}}
    )
    assert spec_hash(own) == "dca1d26de33227da"
