"""Decisions rest on their own result, hang on the last spec alone, and move no pod that need not move."""

from __future__ import annotations

import copy
import random
from dataclasses import replace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pointsman.controller.modeldeployment.decide import decide
from pointsman.kube.objects import CONTROLLER_REVISION
from pointsman.workloads import Images
from pointsman.workloads.revision import frozen_rendering
from tests.property.workloads.test_rendering import ANOTHER_DAY
from tests.support.builders import fleet
from tests.support.decided_cluster import Cluster, Json, hosted_model, own_model

FLEET = fleet(accelerators=[{"name": "L40S", "pricePerHour": {"onDemand": "1.20", "spot": "0.40"}}])
DEARER = fleet(accelerators=[{"name": "L40S", "pricePerHour": {"onDemand": "9", "spot": "7"}}])
POOLS = [
    {"name": "spot", "accelerator": "L40S", "maxReplicas": 4, "capacity": "spot"},
    {"name": "reserved", "accelerator": "L40S", "minReplicas": 1, "maxReplicas": 4},
]


@st.composite
def manifests(draw: st.DrawFn) -> Json:
    """A provider's model, one on CPUs, one on accelerators in pools or not; with mistakes now and then."""
    if draw(st.integers(0, 5)) == 0:
        return hosted_model()
    engine: dict[str, Any] = {}
    if draw(st.booleans()):
        engine["args"] = draw(st.sampled_from([["--verbose"], ["--port=1"]]))
    if draw(st.booleans()):
        engine["chatTemplate"] = "{{ messages }}"
    spec: dict[str, Any] = {
        "replicas": draw(st.integers(0, 3)),
        "model": {"contextLength": draw(st.sampled_from([512, 2048, 8192]))},
        "refresh": draw(st.sampled_from(["", "1"])),
    }
    if draw(st.booleans()):
        return own_model(engine={"name": "llama.cpp", **engine}, **spec)
    if draw(st.booleans()):
        spec["hardware"] = {"pools": POOLS}
    made = own_model(engine={"name": "vllm", **engine}, **spec)
    made["spec"]["model"] = {"source": "hf://Qwen/Qwen3-8B", **spec["model"]}
    return made


def end_state(cluster: Cluster) -> Any:
    """Everything that runs and is said, without what counts or names one making of it."""
    children = {}
    for (kind, key), child in cluster.children.items():
        if kind != CONTROLLER_REVISION:
            stated = copy.deepcopy(child)
            for passing in ("uid", "generation"):
                stated["metadata"].pop(passing)
            stated.pop("status", None)
            children[kind.kind, key.name] = stated
    said = copy.deepcopy(cluster.deployment["status"])
    said.pop("observedGeneration", None)
    for condition in said["conditions"]:
        condition.pop("lastTransitionTime", None)
        condition.pop("observedGeneration", None)
    return children, said


@given(manifest=manifests(), ready=st.booleans(), held=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_look_at_its_own_result_changes_nothing(manifest: Json, ready: bool, held: bool) -> None:
    cluster = Cluster(manifest, fleet=FLEET, replicas_written=not held)
    # Once: nobody looks again only because of what was written.
    assert cluster.settle() == 1
    cluster.run_pods(ready=ready)
    # A status for what became of pods, and nothing else.
    assert cluster.step() in ([], ["status"])
    assert cluster.step() == []


@given(manifest=manifests(), seed=st.integers(0, 2**16))
@settings(max_examples=40, deadline=None)
def test_the_order_in_which_things_are_seen_does_not_matter(manifest: Json, seed: int) -> None:
    cluster = Cluster(manifest, fleet=FLEET)
    cluster.settle()
    cluster.run_pods(ready=False)
    seen = cluster.snapshot()
    rng = random.Random(seed)
    shuffled: dict[str, Any] = {
        name: tuple(rng.sample(getattr(seen, name), len(getattr(seen, name))))
        for name in ("revisions", "workloads", "others", "pods")
    }
    once, again = decide(seen), decide(replace(seen, **shuffled))
    assert (again.apply, again.status, again.announcements) == (once.apply, once.status, once.announcements)
    assert set(again.delete) == set(once.delete)


VALID = manifests().filter(lambda made: made["spec"].get("engine", {}).get("args") != ["--port=1"])


@given(former=st.lists(manifests(), max_size=4), last=VALID)
@settings(max_examples=40, deadline=None)
def test_the_last_spec_alone_decides_what_runs(former: list[Json], last: Json) -> None:
    cluster = Cluster(former[0] if former else last, fleet=FLEET)
    for manifest in former:
        cluster.change(manifest)
        cluster.settle()
        cluster.run_pods()
    cluster.change(last)
    fresh = Cluster(last, fleet=FLEET)
    for one in (cluster, fresh):
        one.settle()
        # The workloads have taken their specs, and all pods are gone since.
        one.run_pods()
        one.pods = []
        one.settle()
    assert end_state(cluster) == end_state(fresh)


@given(former=manifests(), last=VALID, writes=st.integers(0, 8))
@example(former=own_model(), last=own_model(model={"contextLength": 8192}), writes=1)
@settings(max_examples=40, deadline=None)
def test_a_plan_that_was_cut_short_is_taken_up_where_it_ended(former: Json, last: Json, writes: int) -> None:
    cluster = Cluster(former, fleet=FLEET)
    cluster.settle()
    cluster.change(last)
    cluster.carry_out(cluster.plan(), writes)
    cluster.settle()
    uncut = Cluster(former, fleet=FLEET)
    uncut.settle()
    uncut.change(last)
    uncut.settle()
    assert end_state(cluster) == end_state(uncut)


@given(manifest=VALID)
@settings(max_examples=40, deadline=None)
def test_an_upgrade_moves_no_pod_until_a_refresh_is_asked_for(manifest: Json) -> None:
    cluster = Cluster(manifest, fleet=FLEET)
    cluster.settle()
    before = copy.deepcopy(cluster.templates())
    cluster.catalog = ANOTHER_DAY
    cluster.images = Images("registry.example.com/pointsman:2")
    cluster.fleet = DEARER
    cluster.settle()
    assert cluster.templates() == before
    if before:
        asked = copy.deepcopy(manifest)
        asked["spec"]["refresh"] = "another day"
        cluster.change(asked)
        cluster.settle()
        assert cluster.templates() != before
        newest = max(cluster.of((CONTROLLER_REVISION,)), key=lambda one: int(one["revision"]))
        assert frozen_rendering(newest).agent_image == "registry.example.com/pointsman:2"


@given(manifest=VALID, flips=st.lists(st.booleans(), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_no_condition_moves_without_a_cause(manifest: Json, flips: list[bool]) -> None:
    cluster = Cluster(manifest, fleet=FLEET)
    cluster.settle()
    seen: dict[bool, Any] = {}
    for ready in flips:
        cluster.run_pods(ready=ready)
        cluster.settle()
        said = end_state(cluster)[1]
        assert seen.setdefault(ready, said) == said
        times = [one["lastTransitionTime"] for one in cluster.deployment["status"]["conditions"]]
        cluster.step()
        assert times == [one["lastTransitionTime"] for one in cluster.deployment["status"]["conditions"]]
