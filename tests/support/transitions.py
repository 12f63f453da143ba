"""What people and other writers do to ModelDeployments and ModelRoutes, at random and in any order.

`Act` is one of

- `write`: the object is created, or becomes this spec (server-side apply of a whole manifest);
- `scale`: another writer sets the replicas by the scale subresource;
- `delete`, `orphan`: the object goes, its children after it, or not;
- `lose`: somebody deletes a child by hand;
- `look`: the operator gets the time to see all of it; without that it sees several changes as one;
- `kill`: the operator is killed where it stands, and started again.

Left out, since the last spec alone must not decide there: a number of replicas that nobody writes (those
that ran are kept), a field of a child that is taken twice (whoever took it keeps it), and `spec.drain`, which
holds for the pods of the next rendering.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Literal

from hypothesis import strategies as st

Json = dict[str, Any]
Act = Literal["write", "scale", "delete", "orphan", "lose", "look", "kill"]

DEPLOYMENTS = ("chat", "draft")
ROUTE = "front"
CHILDREN = ("Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget")


@dataclass(frozen=True)
class Transition:
    """`value` is the spec, the number of replicas, or the kind of the child."""

    act: Act
    name: str = ""
    value: Any = None


_GEMMA: Json = {
    "source": "oci://models.example.com/gemma:1#weights.gguf",
    "quantization": "gguf",
    "facts": {"parameters": "270M", "layers": 18, "kvHeads": 1, "headDim": 256},
}
_QWEN: Json = {"source": "hf://Qwen/Qwen3-0.6B", "revision": "c1899de289a04d12100db370d81485cdf75e47ca"}
_POOLS = [
    {"name": "first", "accelerator": "L4", "maxReplicas": 1},
    {"name": "second", "accelerator": "L4", "maxReplicas": 4},
]
_GERMAN = {"name": "de", "source": "hf://acme/de"}
_ADAPTERS: tuple[list[Json], ...] = (
    [_GERMAN],
    [{**_GERMAN, "revision": "2"}],
    [_GERMAN, {"name": "fr", "source": "s3://adapters/fr"}],
    [_GERMAN, {"name": "it", "source": "pvc://adapters/it"}],
)
_TEMPLATES: tuple[Json, ...] = (
    {"labels": {"team": "chat"}, "annotations": {"example.com/owner": "chat"}},
    {"tolerations": [{"key": "spot", "operator": "Exists"}], "nodeSelector": {"kubernetes.io/os": "linux"}},
    {
        "resources": {"requests": {"cpu": "500m"}, "limits": {"memory": "64Gi"}},
        "volumes": [{"name": "extra", "emptyDir": {}}],
    },
    {"imagePullSecrets": [{"name": "registry"}], "labels": {"team": "draft"}},
)


@st.composite
def _engines(draw: st.DrawFn, name: str) -> Json:
    engine: Json = {"name": name}
    if draw(st.booleans()):
        engine["args"] = draw(st.sampled_from((["--verbose"], ["--verbose", "--log-file=/tmp/x"])))
    if draw(st.booleans()):
        engine["env"] = draw(
            st.sampled_from(
                (
                    [{"name": "A", "value": "1"}],
                    [{"name": "B", "value": "2"}, {"name": "A", "value": "3"}],
                    [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}}],
                )
            )
        )
    if draw(st.booleans()):
        engine["chatTemplate"] = draw(st.sampled_from(("{{ messages }}", "{{ messages[0] }}")))
    if draw(st.booleans()):
        engine["maxConcurrency"] = draw(st.sampled_from((1, 4)))
    return engine


@st.composite
def deployment_specs(draw: st.DrawFn) -> Json:
    """A provider's model, one on CPUs, one on accelerators: every kind of field stated or not."""
    spec: Json = {"replicas": 1}
    if draw(st.integers(0, 4)) == 0:
        url = draw(st.sampled_from(("https://api.openai.com/v1", "https://eu.api.openai.com/v1")))
        spec["hosted"] = {"provider": "openai", "baseURL": url, "model": draw(st.sampled_from(("a", "b")))}
    else:
        spec |= draw(_of_our_own())
    for name, values in (
        ("tasks", (["chat"], ["chat", "embedding"])),
        ("dataClasses", (["public"], ["internal", "public"])),
        ("tier", ("brain", "longTail")),
        ("license", ("mit", "apache-2.0")),
        ("refresh", ("1", "2")),
    ):
        if draw(st.integers(0, 2)) == 0:
            spec[name] = draw(st.sampled_from(values))
    return copy.deepcopy(spec)


@st.composite
def _of_our_own(draw: st.DrawFn) -> Json:
    model: Json = {"contextLength": draw(st.sampled_from((512, 2048)))}
    if draw(st.booleans()):
        model["servedNames"] = draw(st.sampled_from((["small"], ["small", "tiny"])))
    spec: Json = {"replicas": draw(st.integers(0, 2))}
    if draw(st.booleans()):
        spec |= {"model": {**_GEMMA, **model}, "engine": draw(_engines("llama.cpp"))}
    else:
        if draw(st.booleans()):
            model["adapters"] = draw(st.sampled_from(_ADAPTERS))
        spec |= {"model": {**_QWEN, **model}, "engine": draw(_engines("vllm"))}
        if draw(st.booleans()):
            spec["hardware"] = draw(
                st.sampled_from(({"pools": _POOLS}, {"accelerators": ["L4"], "objective": "latency"}))
            )
    if draw(st.booleans()):
        spec["template"] = draw(st.sampled_from(_TEMPLATES))
    return spec


@st.composite
def route_specs(draw: st.DrawFn) -> Json:
    """A route to the deployments, of which some may be missing. Its names end with its namespace, since
    public names are the whole cluster's.
    """
    first, second = draw(st.permutations(DEPLOYMENTS))
    rule: Json = {"targets": [{"deployment": first}]}
    if draw(st.booleans()):
        rule["targets"] = [{"deployment": first, "weight": 3}, {"deployment": second}]
    elif draw(st.booleans()):
        rule["fallback"] = {"targets": [{"deployment": second}]}
    if draw(st.booleans()):
        rule["timeouts"] = draw(st.sampled_from(({"request": "1m"}, {"firstToken": "8s", "idle": "30s"})))
    models = draw(st.sampled_from((["front.default"], ["front.default", "back.default"])))
    return copy.deepcopy({"models": models, "rules": [rule], "authentication": {"anonymous": True}})


_DEPLOYMENT = st.sampled_from(DEPLOYMENTS)
_ACTS: tuple[tuple[int, st.SearchStrategy[Transition]], ...] = (
    (10, st.builds(Transition, st.just("write"), _DEPLOYMENT, deployment_specs())),
    (3, st.builds(Transition, st.just("scale"), _DEPLOYMENT, st.integers(0, 3))),
    (2, st.builds(Transition, st.just("delete"), st.sampled_from((*DEPLOYMENTS, ROUTE)))),
    (2, st.builds(Transition, st.just("orphan"), _DEPLOYMENT)),
    (2, st.builds(Transition, st.just("lose"), _DEPLOYMENT, st.sampled_from(CHILDREN))),
    (3, st.builds(Transition, st.just("write"), st.just(ROUTE), route_specs())),
    (6, st.just(Transition("look"))),
    (1, st.just(Transition("kill"))),
)
_TRANSITIONS = st.sampled_from([one for weight, one in _ACTS for _ in range(weight)]).flatmap(lambda one: one)


def transitions(count: int) -> st.SearchStrategy[list[Transition]]:
    """So many, in any order."""
    return st.lists(_TRANSITIONS, min_size=count, max_size=count)
