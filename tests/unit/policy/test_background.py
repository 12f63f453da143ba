"""Looks in the background: what is not known has no verdict, and counts agree with those at admission."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pointsman.api import ObjectKey
from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.errors import PointsmanError
from pointsman.policy.admitted import as_admitted
from pointsman.policy.background import LOOKS, Beside, Looked, named_deployments
from pointsman.policy.background.shares import accelerators
from pointsman.policy.cel import program
from pointsman.policy.packs import read_library, shipped_library
from pointsman.policy.source import Example

RULES = {id_: rule for pack in shipped_library().packs.values() for id_, rule in pack.rules.items()}
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def test_every_look_is_taken_by_a_rule() -> None:
    assert {rule.background for rule in RULES.values() if rule.background and not rule.unseen} == set(LOOKS)


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name, look in LOOKS.items() for kind in look.kinds]
)
def test_what_is_not_known_has_no_verdict(name: str, kind: str) -> None:
    """Of a look that files cannot answer; the others need the object alone, or a sum of what is known."""
    if LOOKS[name].in_cluster or kind == "Namespace":
        looked = Looked({"kind": kind, "status": {"replicas": 3}}, {}, Beside(), {}, NOW)
        assert LOOKS[name].kinds[kind](looked) is None


@pytest.mark.parametrize(
    "example", [*RULES["COST-02"].passes, *RULES["COST-02"].fails], ids=lambda one: one.why
)
def test_accelerators_are_counted_as_at_admission(example: Example) -> None:
    check = RULES["COST-02"].checks[PolicyKind.MODEL_DEPLOYMENT]
    obj = as_admitted(PolicyKind.MODEL_DEPLOYMENT, example.object)
    if "engine" not in obj["spec"]:
        assert accelerators(obj) == 0
        return
    assert accelerators(obj) == program("variables.most", dict(check.variables)).value(obj, {})


def test_networks_that_are_none_are_said() -> None:
    policy = {"spec": {"policyTypes": ["Egress"], "egress": []}}
    looked = Looked({"status": {"replicas": 1}}, {}, Beside((policy,)), {"networks": ("10.0.0.0/99",)}, NOW)
    found = LOOKS["egressNetworks"].kinds["ModelDeployment"](looked)
    assert found is not None
    assert "'10.0.0.0/99' does not appear to be an IPv4 or IPv6 network" in found.broken


def test_a_route_names_targets_fallbacks_and_its_mirror() -> None:
    spec = {
        "rules": [
            {
                "targets": [{"deployment": "a"}, {"deployment": "b"}],
                "fallback": {"targets": [{"deployment": "c"}]},
            },
            {"targets": [{"deployment": "a"}]},
        ],
        "mirror": {"deployment": "d"},
    }
    route = {"metadata": {"namespace": "team"}, "spec": spec}
    assert named_deployments(route) == tuple(ObjectKey("team", name) for name in "abcd")


def test_a_rule_of_a_look_that_nobody_knows_is_refused() -> None:
    rule = """\
id: EX-01
title: Something
severity: low
message: it is wrong
todo: mend it
why: It is wrong.
controls: {}
source: []
background: guessing
passes: [{why: a, object: {}}]
fails: [{why: b, object: {}}]
"""
    with pytest.raises(PointsmanError, match="there is no look called guessing"):
        read_library({"ex/pack.yaml": "{title: t, description: d}", "ex/EX-01.yaml": rule})
