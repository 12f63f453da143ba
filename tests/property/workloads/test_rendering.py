"""Rendering is a function of what was frozen; selectors never move; names are always valid."""

import json
import re
from importlib import resources
from typing import Any

import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pointsman.api import FleetSettings, ModelDeployment
from pointsman.catalog import Catalog, read_catalog, shipped_catalog
from pointsman.errors import PointsmanError
from pointsman.placement.result import Placement
from pointsman.workloads import (
    Images,
    Rendering,
    Surroundings,
    controller_revision,
    freeze,
    frozen_rendering,
    refusals,
    render,
    renewal,
)
from pointsman.workloads.naming import base_name, workload_name
from tests.property.workloads.placed_deployments import made, names, placements, pool_names, specs
from tests.support.placement_results import placed

# RFC 1035: what the API server takes for the name of a Service.
SERVICE_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
# A StatefulSet of a group adds its number, and comes back with a hash in a label of 63 characters.
LONGEST_WORKLOAD = 47
IMAGES = Images("registry.example.com/pointsman:1")


def catalogue_of_another_day() -> Catalog:
    """The shipped one with longer starts and another variable."""
    folder = resources.files("pointsman.catalog") / "data"
    texts = {f"engines/{file.name}": file.read_text("utf-8") for file in (folder / "engines").iterdir()}
    texts |= {name: (folder / name).read_text("utf-8") for name in ("accelerators.yaml", "models.yaml")}
    for path, text in texts.items():
        if path.startswith("engines/"):
            document = yaml.safe_load(text)
            document["startup"]["fixedSeconds"] += 77
            document.setdefault("launch", {}).setdefault("variables", []).append(
                {"name": "LATER", "text": "1"}
            )
            texts[path] = yaml.safe_dump(document)
    return read_catalog(texts)


VLLM = {"model": {"source": "hf://a/b"}, "engine": {"name": "vllm"}}
ANOTHER_DAY = catalogue_of_another_day()


def frozen(own: ModelDeployment, placement: Placement, catalogue: Catalog | None = None) -> Rendering:
    try:
        return freeze(own, placement, catalogue or shipped_catalog(), IMAGES)
    except PointsmanError:
        # No image of the engine for the device: nothing to look at.
        assume(False)
        raise


def counted(rendering: Rendering, count: int) -> dict[str, int]:
    return {pool.name: count for pool in rendering.pools}


def selectors(objects: tuple[dict[str, Any], ...]) -> list[Any]:
    found: list[Any] = []
    for one in objects:
        spec = one.get("spec", {})
        if one["kind"] in ("Deployment", "PodDisruptionBudget", "Service"):
            found.append((one["kind"], one["metadata"]["name"], spec["selector"]))
        elif one["kind"] == "NetworkPolicy":
            found.append((one["kind"], one["metadata"]["name"], spec["podSelector"]))
    return found


@settings(max_examples=50)
@given(names, specs(), placements(), st.integers(0, 50))
def test_the_same_rendering_gives_the_same_bytes(
    name: str, spec: dict[str, Any], placement: Placement, count: int
) -> None:
    own = made(name, spec)
    rendering = frozen(own, placement)
    kept = json.loads(json.dumps(controller_revision(own, rendering, 1)))
    again = frozen_rendering(kept)
    assert again == rendering
    assert again.name == rendering.name
    first, second = (render(own, one, counted(rendering, count)) for one in (rendering, again))
    assert json.dumps(first) == json.dumps(second)
    assert freeze(own, placement, shipped_catalog(), IMAGES) == rendering


@settings(max_examples=50)
@given(names, specs(), placements())
def test_neither_a_catalogue_nor_an_agent_of_another_day_moves_a_pod(
    name: str, spec: dict[str, Any], placement: Placement
) -> None:
    own = made(name, spec)
    rendering = frozen(own, placement)
    later = freeze(own, placement, ANOTHER_DAY, Images("registry.example.com/pointsman:2"))
    assert later.revisions != rendering.revisions, "what a refresh would change"
    assert renewal(own, rendering) is None
    kept = frozen_rendering({"data": json.loads(json.dumps(rendering.to_json()))})
    replicas = counted(rendering, 1)
    assert render(own, kept, replicas) == render(own, rendering, replicas)


@settings(max_examples=50)
@given(names, specs(), specs(), placements(), placements())
def test_selectors_do_not_follow_the_spec(
    name: str, spec: dict[str, Any], other: dict[str, Any], placement: Placement, elsewhere: Placement
) -> None:
    first, second = made(name, spec), made(name, other)
    before, after = frozen(first, placement), frozen(second, elsewhere)
    one, two = render(first, before, {}), render(second, after, {}, Surroundings(pod_monitors=True))
    shared = {(kind, named) for kind, named, _ in selectors(one)} & {
        (kind, named) for kind, named, _ in selectors(two)
    }
    assert [found for found in selectors(one) if found[:2] in shared] == [
        found for found in selectors(two) if found[:2] in shared
    ]


@settings(max_examples=50)
@given(names, specs(), placements())
def test_pods_carry_what_selects_them(name: str, spec: dict[str, Any], placement: Placement) -> None:
    own = made(name, spec)
    rendering = frozen(own, placement)
    for one in render(own, rendering, {}):
        if one["kind"] == "Deployment":
            labels = one["spec"]["template"]["metadata"]["labels"]
            assert one["spec"]["selector"]["matchLabels"].items() <= labels.items()
            assert labels["pointsman.dev/revision"] in rendering.revisions


@settings(max_examples=50)
@given(names, specs(), placements())
@example("3", VLLM, placed())
@example("a" * 63, VLLM, placed())
def test_names_are_valid_and_each_its_own(name: str, spec: dict[str, Any], placement: Placement) -> None:
    own = made(name, spec)
    rendering = frozen(own, placement)
    objects = render(own, rendering, {}, Surroundings(pod_monitors=True))
    named = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(set(named)) == len(named)
    assert all(SERVICE_NAME.fullmatch(text) for _, text in named), named
    assert SERVICE_NAME.fullmatch(controller_revision(own, rendering, 1)["metadata"]["name"])


@settings(max_examples=100)
@given(st.lists(st.tuples(names, pool_names, st.booleans()), min_size=2, max_size=8, unique=True))
@example([("a", "b-c", False), ("a-b", "c", False)])
@example([("a", "b.c", False), ("a", "b-c", False), ("a", "B-C", False), ("a.b", "c", False)])
def test_two_pools_never_share_a_name(pools: list[tuple[str, str, bool]]) -> None:
    distinct = {(name, pool) for name, pool, _ in pools}
    assert len({workload_name(name, pool, group=False) for name, pool in distinct}) == len(distinct)
    groups = {workload_name(name, pool, group=True) for name, pool in distinct}
    assert len(groups) == len(distinct)
    assert all(len(text) <= LONGEST_WORKLOAD and SERVICE_NAME.fullmatch(text) for text in groups)
    assert not groups & {base_name(name) for name, _, _ in pools}


@settings(max_examples=50)
@given(names, specs(), placements())
def test_what_is_not_refused_can_be_rendered(name: str, spec: dict[str, Any], placement: Placement) -> None:
    own = made(name, spec)
    assume(not any(finding.is_error for finding in refusals(own, FleetSettings(), shipped_catalog())))
    assert render(own, frozen(own, placement), {})
