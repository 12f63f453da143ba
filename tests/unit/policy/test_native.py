"""What an API server is given: scope, modes, names, exceptions, and the words of a refusal."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pointsman.policy.native import as_static, mutating, validating
from tests.support.policies import compiled, rule

Json = dict[str, Any]

_PAGE = Path(__file__).parents[3] / "operator/docs/policies.md"
_NOW = datetime(2026, 11, 22, tzinfo=UTC)
_LATER = "2027-01-31T00:00:00Z"
_BEFORE = "2026-01-31T00:00:00Z"


def _policies(spec: Json) -> list[Json]:
    found = validating(compiled(spec), _NOW, ["pointsman-system"])
    return [one for one in found if one["kind"] == "ValidatingAdmissionPolicy"]


def _exception(until: str, **match: Any) -> Json:
    return {
        "id": "EXC-1",
        "rules": ["OWN-1"],
        "match": match or {"names": ["old"]},
        "until": until,
        "reason": "a migration",
        "approvedBy": "security",
    }


def test_each_mode_is_a_binding_of_its_own() -> None:
    rules = [rule("OWN-1"), rule("OWN-2", mode="warn"), rule("OWN-3", mode="audit")]

    found = validating(compiled({"mode": "enforce", "rules": rules}), _NOW)

    bindings = [one for one in found if one["kind"] == "ValidatingAdmissionPolicyBinding"]
    assert [one["spec"]["validationActions"] for one in bindings] == [
        ["Deny", "Audit"],
        ["Warn", "Audit"],
        ["Audit"],
    ]
    assert len({one["metadata"]["name"] for one in bindings}) == 3
    assert all(one["spec"]["policyName"] == one["metadata"]["name"] for one in bindings)


def test_no_rule_is_for_system_namespaces_nor_our_own() -> None:
    (policy,) = _policies({"rules": [rule("OWN-1")]})

    (term,) = policy["spec"]["matchConstraints"]["namespaceSelector"]["matchExpressions"]
    assert (term["key"], term["operator"]) == ("kubernetes.io/metadata.name", "NotIn")
    assert set(term["values"]) == {"kube-system", "kube-public", "kube-node-lease", "pointsman-system"}


def test_it_fails_closed_and_looks_at_changed_specs_alone() -> None:
    (policy,) = _policies({"rules": [rule("OWN-1")]})

    assert policy["spec"]["failurePolicy"] == "Fail"
    (condition,) = policy["spec"]["matchConditions"]
    assert condition["expression"] == "request.operation == 'CREATE' || object.spec != oldObject.spec"


def test_pods_are_looked_at_as_they_become_ours_and_no_others() -> None:
    pod = rule("OWN-1", kinds=["Pod"], expression="!has(object.spec.hostNetwork)")

    (policy,) = _policies({"rules": [pod]})

    constraints = policy["spec"]["matchConstraints"]
    assert constraints["resourceRules"][0]["operations"] == ["CREATE", "UPDATE"]
    assert constraints["objectSelector"]["matchExpressions"] == [
        {"key": "pointsman.dev/deployment", "operator": "Exists"}
    ]
    (condition,) = policy["spec"]["matchConditions"]
    assert "oldObject.metadata" in condition["expression"]


def test_an_exception_ends_by_the_clock_of_what_is_admitted() -> None:
    (policy,) = _policies({"rules": [rule("OWN-1")], "exceptions": [_exception(_LATER)]})

    (validation,) = policy["spec"]["validations"]
    assert f'variables.known && variables.now < timestamp("{_LATER}")' in validation["expression"]
    names = [one["name"] for one in policy["spec"]["variables"]]
    assert names == ["stamps", "before", "known", "now", "exception0"]


def test_an_exception_that_has_ended_is_left_out_but_for_pods() -> None:
    pod = rule("OWN-2", kinds=["Pod"], expression="!has(object.spec.hostNetwork)")
    ended = {**_exception(_BEFORE), "rules": ["OWN-1", "OWN-2"]}

    deployments, pods = _policies({"rules": [rule("OWN-1"), pod], "exceptions": [ended]})

    assert "exception0" not in deployments["spec"]["validations"][0]["expression"]
    assert pods["spec"]["validations"][0]["expression"].endswith("|| variables.exception0")


def test_a_refusal_names_rule_controls_and_the_way_to_all_findings() -> None:
    (policy,) = _policies({"rules": [rule("OWN-1", controls=["iso-42001:A.6", "own-2"])]})

    assert policy["spec"]["validations"][0]["message"] == (
        "[OWN-1] it is wrong (iso-42001 A.6, own own-2); "
        "all findings: pointsman validate FILE --policies POLICIES"
    )


def test_a_refusal_by_a_pack_has_a_link_to_read_on() -> None:
    packs = [{"name": "baseline-security"}]
    (held,) = (one for one in _policies({"packs": packs}) if "-modelroute-" in one["metadata"]["name"])

    said = [one["message"] for one in held["spec"]["validations"]]
    assert said
    assert all("; see https://" in one for one in said)


def test_the_page_shows_a_refusal() -> None:
    packs = [{"name": "baseline-security"}]
    (held,) = (one for one in _policies({"packs": packs}) if "-modeldeployment-" in one["metadata"]["name"])

    (said,) = (one["message"] for one in held["spec"]["validations"] if "[SEC-06]" in one["message"])
    assert f"\n{said}\n" in _PAGE.read_text("utf-8")


def test_a_refusal_is_one_line_whatever_controls_are_called() -> None:
    (policy,) = _policies({"rules": [rule("OWN-1", message="it\nis wrong", controls=["a\nb:\u2028c"])]})

    message = policy["spec"]["validations"][0]["message"]
    assert message == "[OWN-1] it is wrong (a b c); all findings: pointsman validate FILE --policies POLICIES"


def test_many_rules_are_split_over_policies_of_distinct_names() -> None:
    found = _policies({"rules": [rule(f"OWN-{number}") for number in range(40)]})

    assert [len(one["spec"]["validations"]) for one in found] == [32, 8]
    assert len({one["metadata"]["name"] for one in found}) == 2


def test_defaults_are_set_where_a_policy_enforces_alone() -> None:
    pack = [{"name": "baseline-security"}]

    assert mutating(compiled({"mode": "warn", "packs": pack})) == ()
    policy, binding = mutating(compiled({"mode": "enforce", "packs": pack}))
    assert policy["kind"] == "MutatingAdmissionPolicy"
    assert {one["patchType"] for one in policy["spec"]["mutations"]} == {"JSONPatch"}
    assert binding["spec"]["policyName"] == policy["metadata"]["name"]


def test_files_for_an_api_server_have_names_of_their_own() -> None:
    policy, binding = map(as_static, validating(compiled({"rules": [rule("OWN-1")]}), _NOW))

    assert policy["metadata"]["name"].endswith(".static.k8s.io")
    assert binding["spec"]["policyName"] == policy["metadata"]["name"]
