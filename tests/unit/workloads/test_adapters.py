"""Adapters that come and go in running pods are no part of these; all others are, as they always were."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pointsman.api import Model, ModelDeployment
from pointsman.catalog import shipped_catalog
from pointsman.placement.memory import MOST_LOADED_ADAPTERS
from pointsman.workloads import (
    Images,
    Rendering,
    Renewal,
    freeze,
    frozen_rendering,
    refusals,
    render,
    renewal,
)
from pointsman.workloads.adapters import FILE, with_adapters
from pointsman.workloads.engine import MOST_ADAPTERS
from pointsman.workloads.revision import controller_revision, spec_hash
from tests.support.builders import deployment
from tests.support.placement_results import placed, pool

Json = dict[str, Any]

TOKEN = {"secretRef": {"name": "hub", "key": "token"}}
DE = {"name": "de", "source": "hf://acme/de", "revision": "1"}
FR = {"name": "acme/fr:v1", "source": "s3://adapters/fr"}
MOUNTED = {"name": "it", "source": "pvc://adapters/it"}


def made(*adapters: Json, model: Json | None = None, **spec: Any) -> ModelDeployment:
    return deployment(
        "chat", metadata={"uid": "u-1"}, spec={"model": {"adapters": list(adapters), **(model or {})}, **spec}
    )


def frozen(own: ModelDeployment, nodes: int = 1) -> Rendering:
    return freeze(own, placed(pool(devices=2 * nodes), nodes=nodes), shipped_catalog(), Images("agent:1"))


def template(rendering: Rendering) -> Json:
    return dict(rendering.pools[0].template)


def containers(rendering: Rendering) -> dict[str, Json]:
    spec = template(rendering)["spec"]
    return {one["name"]: one for one in (*spec.get("initContainers", ()), *spec["containers"])}


def lists(own: ModelDeployment, rendering: Rendering) -> list[Json]:
    """The ConfigMaps that tell of adapters."""
    return [
        one
        for one in render(own, rendering, {"default": 1})
        if one["kind"] == "ConfigMap" and FILE in one["data"]
    ]


def test_another_list_is_the_same_pods() -> None:
    before, after = made(DE), made(DE, FR)
    kept = frozen(before)
    assert renewal(after, kept) is None
    now = with_adapters(kept, after)
    assert now.name != kept.name
    assert now.revisions == kept.revisions == frozen(after).revisions
    assert [one["kind"] for one in render(before, kept, {"default": 1})] == [
        one["kind"] for one in render(after, now, {"default": 1})
    ]
    assert frozen_rendering(controller_revision(after, now, 2)) == now
    assert with_adapters(now, after) is now


def test_the_list_says_how_each_is_fetched_and_where_below_the_store_it_lies() -> None:
    own = made(FR, DE)
    [found] = lists(own, frozen(own))
    assert json.loads(found["data"][FILE]) == {
        "adapters": [
            {
                "name": "acme/fr:v1",
                "path": "adapters-fr-e41715fd0df9",
                "item": {"source": "s3://adapters/fr", "into": "adapters-fr-e41715fd0df9"},
            },
            {
                "name": "de",
                "path": "acme-de-3921126b94e9",
                "item": {"source": "hf://acme/de", "revision": "1", "into": "acme-de-3921126b94e9"},
            },
        ]
    }
    assert found["metadata"]["name"] != "chat-adapters", "another deployment may be called so"
    [volume] = [one for one in template(frozen(own))["spec"]["volumes"] if one["name"] == "adapter-list"]
    assert volume["configMap"] == {"name": found["metadata"]["name"], "optional": True}


def test_pods_have_room_for_as_many_as_the_api_takes_and_name_none() -> None:
    [limit] = [
        one.max_length for one in Model.model_fields["adapters"].metadata if hasattr(one, "max_length")
    ]
    assert limit == MOST_ADAPTERS
    engine = containers(frozen(made(DE)))["engine"]
    told = " ".join(engine["args"])
    assert f"--enable-lora --max-loras {MOST_LOADED_ADAPTERS} --max-cpu-loras {MOST_ADAPTERS} " in told
    assert "--lora-modules" not in told
    assert {"name": "VLLM_ALLOW_RUNTIME_LORA_UPDATING", "value": "True"} in engine["env"]


def test_the_agent_fetches_with_the_credentials_of_the_model() -> None:
    agent = containers(frozen(made(DE, model={"source": "hf://acme/base", "credentials": TOKEN})))["agent"]
    assert agent["args"][-6:] == [
        "--adapters", "/etc/pointsman/adapters/adapters.json",
        "--store", "/weights/store",
        "--model-source", "hf://acme/base",
    ]  # fmt: skip
    [credential] = [one for one in agent["env"] if one["name"] == "POINTSMAN_WEIGHTS_CREDENTIAL"]
    assert credential["valueFrom"] == {"secretKeyRef": {"name": "hub", "key": "token"}}
    mounts = {one["mountPath"]: one.get("readOnly", False) for one in agent["volumeMounts"]}
    assert mounts == {"/weights/store": False, "/tmp": False, "/etc/pointsman/adapters": True}


def test_the_first_adapter_and_the_last_are_other_pods() -> None:
    without, kept = frozen(made()), frozen(made(DE))
    assert renewal(made(DE), without) is Renewal.SPEC_CHANGED
    assert renewal(made(), kept) is Renewal.SPEC_CHANGED
    assert without.revisions != kept.revisions


def test_pods_without_adapters_know_nothing_of_any() -> None:
    own = made()
    assert "adapter" not in json.dumps(template(frozen(own)))
    assert "LORA" not in json.dumps(template(frozen(own)))
    assert lists(own, frozen(own)) == []
    assert "adapters" not in frozen(own).to_json()


IN_THE_PODS: dict[str, ModelDeployment] = {
    "of an older vLLM": made(DE, engine={"version": "0.30.0"}),
    "of an image of the user's": made(DE, engine={"image": f"vllm@sha256:{'ab' * 32}"}),
    "of SGLang": made(DE, engine={"name": "sglang"}),
    "one that is mounted": made(DE, MOUNTED),
    "of several API servers": made(DE, engine={"args": ["--api-server-count=2"]}),
    "of data parallel engines": made(DE, engine={"args": ["--data_parallel_size", "2"]}),
}


@pytest.mark.parametrize("own", IN_THE_PODS.values(), ids=IN_THE_PODS.keys())
def test_where_running_engines_cannot_be_told_another_list_is_other_pods(own: ModelDeployment) -> None:
    kept = frozen(own)
    assert (kept.adapters, lists(own, kept)) == ("", [])
    assert "de=/weights/store/acme-de-" in " ".join(containers(kept)["engine"]["args"])
    assert own.spec.model is not None
    fewer = own.spec.model.model_copy(update={"adapters": own.spec.model.adapters[1:]})
    later = own.model_copy(update={"spec": own.spec.model_copy(update={"model": fewer})})
    assert renewal(later, kept) is Renewal.SPEC_CHANGED


def test_replicas_that_span_nodes_name_their_adapters() -> None:
    own = made(DE, hardware={"nodes": 2})
    assert frozen(own, nodes=2).adapters == ""


def test_pods_that_name_their_adapters_stay_until_the_list_changes() -> None:
    """What was frozen before engines could be told: its hash counts the adapters."""
    own = made(DE)
    former = frozen(made(DE, engine={"version": "0.30.0"}))
    kept = Rendering.from_json({**former.to_json(), "specHash": spec_hash(own)})
    assert renewal(own, kept) is None
    assert with_adapters(kept, own) is kept
    assert renewal(made(DE, FR), kept) is Renewal.SPEC_CHANGED


def test_what_keeps_engines_from_being_told_is_said() -> None:
    own = made(DE, engine={"args": ["--enforce-eager", "--api-server-count=2"]})
    [said] = [one for one in refusals(own, None, shipped_catalog()) if "adapter" in one.what]
    assert (said.severity, said.path) == ("warning", "spec.engine.args[1]")
    plain = made(engine={"args": ["--api-server-count=2"]})
    assert [one for one in refusals(plain, None, shipped_catalog()) if "adapter" in one.what] == []
