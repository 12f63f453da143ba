"""What holds is kept once, and everybody who judges by it hears of it once."""

from __future__ import annotations

from typing import Any

from pointsman.api import ObjectKey
from pointsman.controller.guardrailpolicy.in_force import InForce
from tests.support.policies import compiled, rule

_POLICY, _OTHER = ObjectKey("", "house"), ObjectKey("", "other")
_RULES = {"rules": [rule("OWN-1")]}


class Judge:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def begin(self) -> None:
        self.told.append(("begin",))

    def holds(self, policy: ObjectKey) -> None:
        self.told.append(("holds", policy.name))

    def again(self, policy: ObjectKey) -> None:
        self.told.append(("again", policy.name))

    def forget(self, policy: ObjectKey) -> None:
        self.told.append(("forget", policy.name))

    def saw_namespace(self, name: str) -> None:
        self.told.append(("namespace", name))


def test_each_judge_is_told_of_each_change_once() -> None:
    in_force, judges = InForce(), (Judge(), Judge())
    for one in judges:
        in_force.listen(one)
    house = compiled(_RULES)
    in_force.saw_namespace("team", None)
    for _ in range(2):
        in_force.saw_namespace("team", {})
        in_force.hold(_POLICY, house)
        in_force.again(_OTHER)
        in_force.forget(_OTHER)
    in_force.again(_POLICY)
    in_force.hold(_POLICY, compiled(_RULES))
    assert (in_force.get(_POLICY) is house, _POLICY in in_force) == (False, True)
    for _ in range(2):
        in_force.forget(_POLICY)
    assert not in_force
    in_force.begin()

    told = [("namespace", "team"), ("holds", "house"), ("again", "house"), ("holds", "house")]
    assert [one.told for one in judges] == [[*told, ("forget", "house"), ("begin",)]] * 2


def test_a_policy_is_for_namespaces_by_their_labels_and_for_none_that_is_left_out() -> None:
    in_force = InForce()
    prod = compiled({**_RULES, "appliesTo": {"namespaceSelector": {"matchLabels": {"stage": "prod"}}}})
    in_force.hold(_POLICY, prod, ["kube-system"])
    for name, stage in (("team", "prod"), ("lab", "dev"), ("kube-system", "prod")):
        in_force.saw_namespace(name, {"stage": stage})

    assert [in_force.is_for(prod, name) for name in ("team", "lab", "kube-system", "new")] == [
        True,
        False,
        False,
        False,
    ]
    in_force.begin()
    assert in_force.namespace("team") == {"metadata": {"name": "team", "labels": {"stage": "prod"}}}
    in_force.saw_namespace("team", None)
    assert not in_force.is_for(prod, "team")
