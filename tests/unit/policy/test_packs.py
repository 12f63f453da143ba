"""Every rule that is shipped compiles, says of its examples what they promise, and lets our own pods be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.policy.admitted import as_admitted
from pointsman.policy.background import LOOKS, NAMESPACE, as_stated
from pointsman.policy.cel.environment import Program
from pointsman.policy.compiled import Compiled
from pointsman.policy.declarations import expressions
from pointsman.policy.packs import shipped_library
from pointsman.policy.parameters import names_in
from pointsman.policy.source import Example
from pointsman.policy.verdicts import Outcome, Verdict, verdicts
from tests.support.policies import compiled

LIBRARY = shipped_library()
RULES = [(pack.name, id_) for pack in LIBRARY.packs.values() for id_ in pack.rules]
NOW = datetime(2026, 11, 1, tzinfo=UTC)
GOLDEN = Path(__file__).parents[2] / "golden" / "workloads"


def alone(pack: str, rule: str) -> Compiled:
    """A policy of this rule, with the parameters of its examples."""
    others = [name for name in LIBRARY.packs[pack].rules if name != rule]
    parameters = dict(LIBRARY.packs[pack].rules[rule].example_parameters)
    return compiled(
        {"mode": "enforce", "packs": [{"name": pack, "exclude": others, "parameters": parameters}]}
    )


def judged(policy: Compiled, example: Example) -> list[Verdict]:
    namespace = {"metadata": {"labels": dict(example.namespace_labels)}}
    at = example.at.instant if example.at is not None else NOW
    beside = as_stated(example.beside)
    if example.object["kind"] == NAMESPACE:
        return verdicts([policy], None, example.object, namespace, at, beside)
    kind = PolicyKind(str(example.object["kind"]))
    named = {**example.object["metadata"], "namespace": "examples"}
    obj = as_admitted(kind, {**example.object, "metadata": named})
    return verdicts([policy], kind, obj, namespace, at, beside)


# The data


@pytest.mark.parametrize(("pack", "rule"), RULES)
def test_a_rule_compiles_for_each_of_its_kinds(pack: str, rule: str) -> None:
    policy = alone(pack, rule)
    assert policy.problems == ()
    (one,) = policy.rules
    source = LIBRARY.packs[pack].rules[rule]
    assert set(one.checks) == set(source.checks)
    assert set(one.mutations) == set(source.mutations)


@pytest.mark.parametrize(("pack", "rule"), RULES)
def test_the_examples_of_a_rule_get_the_verdict_that_they_promise(pack: str, rule: str) -> None:
    source, policy = LIBRARY.packs[pack].rules[rule], alone(pack, rule)
    found = {
        (promised, example.why): [one.outcome for one in judged(policy, example)]
        for promised, examples in ((Outcome.PASS, source.passes), (Outcome.FAIL, source.fails))
        for example in examples
    }
    assert found == {key: [key[0]] for key in found}


@pytest.mark.parametrize(("pack", "rule"), RULES)
def test_a_refusal_is_one_line(pack: str, rule: str) -> None:
    policy = alone(pack, rule)
    said = [
        one.message for example in LIBRARY.packs[pack].rules[rule].fails for one in judged(policy, example)
    ]
    assert [text for text in said if "\n" in text or len(text) > 1024] == []


@pytest.mark.parametrize(("pack", "rule"), RULES)
def test_each_kind_of_a_rule_has_an_example(pack: str, rule: str) -> None:
    source = LIBRARY.packs[pack].rules[rule]
    shown = {str(one.object["kind"]) for one in (*source.passes, *source.fails)}
    looked = LOOKS[source.background].kinds if source.background and not source.unseen else {}
    assert shown == {*source.checks, *looked}


def test_each_control_that_a_rule_names_is_known() -> None:
    unknown = {
        (id_, framework, control)
        for pack in LIBRARY.packs.values()
        for id_, rule in pack.rules.items()
        for framework, controls in rule.controls.items()
        for control in controls
        if framework not in LIBRARY.frameworks or control not in LIBRARY.frameworks[framework].controls
    }
    assert unknown == set()


@pytest.mark.parametrize("pack", LIBRARY.packs)
def test_each_parameter_of_a_pack_is_for_one_of_its_rules(pack: str) -> None:
    """Rules without expressions say in words which parameters they go by."""
    rules = LIBRARY.packs[pack].rules.values()
    read = {name for rule in rules for text in expressions(rule) for name in names_in(text)}
    words = {
        word for rule in rules if not rule.checks for word in re.findall(r"\w+", rule.todo + " " + rule.why)
    }
    parameters = set(LIBRARY.packs[pack].source.parameters)
    assert read <= parameters
    assert parameters - read - words == set()


EVERYTHING = compiled({"packs": [{"name": name} for name in LIBRARY.packs]})
EXAMPLES = [
    (rule.id, example)
    for pack in LIBRARY.packs.values()
    for rule in pack.rules.values()
    for example in (*rule.passes, *rule.fails)
]


def test_every_rule_has_a_verdict_about_the_examples_of_all_others() -> None:
    """What one rule's objects leave out, another must not take for given."""
    errors = {
        (id_, example.why, one.rule.id, one.message)
        for id_, example in EXAMPLES
        for one in judged(EVERYTHING, example)
        if one.outcome is Outcome.ERROR
    }
    assert errors == set()


# Our own pods


@dataclass(frozen=True)
class OwnPod:
    """A pod as its workload makes it from what we render."""

    file: str
    document: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.file}: {self.document['metadata']['labels']['pointsman.dev/role']}"


def _own_pods() -> Iterator[OwnPod]:
    for file in sorted(GOLDEN.glob("*.yaml")):
        for document in yaml.safe_load_all(file.read_text("utf-8")):
            for owner, template in _templates(document):
                controller = {
                    "apiVersion": "apps/v1",
                    "kind": owner,
                    "name": "made",
                    "uid": "u",
                    "controller": True,
                }
                metadata = {
                    **template["metadata"],
                    "name": "made-1",
                    "namespace": "chat",
                    "ownerReferences": [controller],
                }
                pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
                yield OwnPod(file.stem, pod)


def _templates(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if document["kind"] == "Deployment":
        yield "ReplicaSet", document["spec"]["template"]
    if document["kind"] == "LeaderWorkerSet":
        group = document["spec"]["leaderWorkerTemplate"]
        yield "StatefulSet", group["leaderTemplate"]
        yield "StatefulSet", group["workerTemplate"]


OWN_PODS = tuple(_own_pods())
PRODUCTION = {"metadata": {"labels": {"pointsman.dev/environment": "prod"}}}
KEPT_BY_DEFAULT = compiled(
    {"packs": [{"name": name} for name in ("baseline-security", "observability", "reliability")]}
)


@pytest.mark.parametrize("pod", OWN_PODS, ids=str)
def test_our_own_pods_break_no_rule_that_is_not_about_their_images(pod: OwnPod) -> None:
    found = verdicts([KEPT_BY_DEFAULT], PolicyKind.POD, pod.document, PRODUCTION, NOW)
    assert len(found) > 8
    assert [(one.rule.id, one.message) for one in found if one.outcome is not Outcome.PASS] == []


@pytest.mark.parametrize("pod", OWN_PODS, ids=str)
def test_our_own_pods_need_no_defaults(pod: OwnPod) -> None:
    """What is rendered is what runs: nothing of it would differ from what the operator wrote."""
    changed = {
        rule.id
        for rule in KEPT_BY_DEFAULT.rules
        if PolicyKind.POD in rule.mutations
        and Program(rule.mutations[PolicyKind.POD].when, {}).value(pod.document, PRODUCTION)
    }
    assert changed == set()


def test_the_catalogues_images_are_known_by_tags_which_only_the_supply_chain_minds() -> None:
    policy = alone("supply-chain", "SUP-01")
    refused = {
        pod.file: [
            one.is_violation for one in verdicts([policy], PolicyKind.POD, pod.document, PRODUCTION, NOW)
        ]
        for pod in OWN_PODS
    }
    assert refused["custom"] == [False]
    assert refused["vllm"] == [True]
