"""What is written and said for one GuardrailPolicy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pointsman.api.guardrailpolicy import EvidenceStatus, GuardrailPolicyStatus, Violation
from pointsman.controller.acting import MANAGER
from pointsman.controller.guardrailpolicy.decide import decide
from pointsman.controller.guardrailpolicy.exceptions import ending_by_policy
from pointsman.controller.guardrailpolicy.snapshot import Found, PolicySnapshot
from pointsman.controller.metrics import OperatorMetrics
from pointsman.controller.modeldeployment.snapshot import Obstacle
from pointsman.controller.plan import Plan
from pointsman.controller.recording.hearing import Recording
from pointsman.kube.objects import KubeObject
from pointsman.policy.compiled import compile_policy
from pointsman.policy.packs import shipped_library
from tests.support.policies import guardrail_policy, rule

Json = dict[str, Any]

_NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def _snapshot(spec: Json, **stated: Any) -> PolicySnapshot:
    policy = guardrail_policy(spec)
    fresh = PolicySnapshot(
        policy=policy,
        compiled=compile_policy(policy, shipped_library()),
        now=_NOW,
        natives=(),
        found=Found(),
        left_out=("pointsman-system",),
        mutates=True,
        settled_seconds=0.0,
        soon_seconds=7 * 86400.0,
    )
    return replace(fresh, **stated)


def _held(snapshot: PolicySnapshot, **status: Any) -> PolicySnapshot:
    """The same once its objects are there and the API server has looked at them."""
    natives: list[KubeObject] = [
        {
            **one,
            "metadata": {**one["metadata"], "uid": one["metadata"]["name"], "generation": 1},
            "status": {"observedGeneration": 1, **status},
        }
        for one in decide(snapshot).apply
    ]
    return replace(snapshot, natives=tuple(natives), settled_seconds=60.0)


def _conditions(plan: Plan) -> dict[str, tuple[str, str]]:
    assert plan.status is not None
    return {one["type"]: (one["status"], one["reason"]) for one in plan.status["status"]["conditions"]}


def _status(plan: Plan) -> Json:
    assert plan.status is not None
    found: Json = plan.status["status"]
    return found


def test_every_native_object_belongs_to_the_policy_and_goes_with_it() -> None:
    plan = decide(_snapshot({"rules": [rule("OWN-1")]}))

    assert [one["kind"] for one in plan.apply] == [
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ]
    owners = [one["metadata"]["ownerReferences"][0] for one in plan.apply]
    assert {(one["kind"], one["name"], one["uid"]) for one in owners} == {
        ("GuardrailPolicy", "house", "uid-of-house")
    }


def test_it_is_enforced_once_the_api_server_has_looked_at_each_policy() -> None:
    snapshot = _snapshot({"rules": [rule("OWN-1")]})
    held = _held(snapshot)
    fresh = replace(held, settled_seconds=0.5)

    assert _conditions(decide(snapshot))["Enforced"] == ("False", "Pending")
    assert _conditions(decide(fresh))["Enforced"] == ("Unknown", "Pending")
    assert decide(fresh).again_after_seconds == 2.5
    assert _conditions(decide(held)) == {
        "Compiled": ("True", "Compiled"),
        "Enforced": ("True", "Enforced"),
        "Ready": ("True", "Enforced"),
    }


def test_a_policy_that_was_not_looked_at_again_is_pending() -> None:
    held = _held(_snapshot({"rules": [rule("OWN-1")]}), observedGeneration=0)

    assert _conditions(decide(held))["Enforced"] == ("Unknown", "Pending")


def test_a_warning_of_the_api_server_is_said() -> None:
    warning = {"fieldRef": "spec.validations[0].expression", "warning": "undefined field\n 'licence'"}
    held = _held(_snapshot({"rules": [rule("OWN-1")]}), typeChecking={"expressionWarnings": [warning]})

    found = _status(decide(held))["conditions"][1]
    assert (found["status"], found["reason"]) == ("False", "TypeWarning")
    assert found["message"] == "spec.validations[0].expression: undefined field 'licence'"


def test_what_is_no_longer_wanted_is_deleted() -> None:
    two = _held(_snapshot({"rules": [rule("OWN-1"), rule("OWN-2", mode="enforce")]}))
    one = _snapshot({"rules": [rule("OWN-1")]}, natives=two.natives)

    plan = decide(one)

    assert {doomed.key.name for doomed in plan.delete} == {"pointsman-house-modeldeployment-enforce"}


def _exception(number: int, until: datetime) -> Json:
    return {
        "id": f"EXC-{number}",
        "rules": ["OWN-1"],
        "match": {"names": ["old"]},
        "until": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": "a migration",
        "approvedBy": "security",
    }


def _excepting(*until: datetime, **stated: Any) -> PolicySnapshot:
    exceptions = [_exception(number, one) for number, one in enumerate(until)]
    return _held(_snapshot({"rules": [rule("OWN-1")], "exceptions": exceptions}, **stated))


def _next(snapshot: PolicySnapshot, **stated: Any) -> PolicySnapshot:
    """The next look, by whichever process: the status is what was written last."""
    status = {**snapshot.policy.to_document(), "status": _status(decide(snapshot))}
    policy = type(snapshot.policy).model_validate(status, extra="ignore")
    return replace(snapshot, policy=policy, **stated)


def _told(plan: Plan) -> list[tuple[str, str]]:
    return [(one.reason, one.message) for one in plan.announcements if one.reason.startswith("Exception")]


def test_an_exception_that_ends_soon_is_told_once_and_stays_in_the_status() -> None:
    first = _excepting(_NOW + timedelta(days=8), _NOW + timedelta(days=2))
    said = ("ExceptionEndsSoon", "EXC-1 ends at 2026-11-24T12:00:00Z, approved by security: a migration")

    assert _told(decide(first)) == [said]
    assert _status(decide(first))["exceptions"]["endingSoon"] == ["EXC-1"]
    assert decide(first).again_after_seconds == 86400.0, "EXC-0 is next"

    second = _next(first)
    assert _told(decide(second)) == []
    later = _next(second, now=_NOW + timedelta(days=1, hours=1))
    assert [note.partition(" ")[0] for _, note in _told(decide(later))] == ["EXC-0"]
    assert _status(decide(later))["exceptions"]["endingSoon"] == ["EXC-1", "EXC-0"]
    ended = _next(later, now=_NOW + timedelta(days=2, hours=1))
    assert _told(decide(ended)) == [("ExceptionEnded", "1 ended")]
    assert _status(decide(ended))["exceptions"]["endingSoon"] == ["EXC-0"]


def test_an_exception_that_was_extended_is_told_again_before_its_new_end() -> None:
    told = _next(_excepting(_NOW + timedelta(days=2)))
    extended = _excepting(_NOW + timedelta(days=30)).compiled
    calm = _next(replace(told, compiled=extended))

    assert _told(decide(calm)) == []
    assert len(_told(decide(replace(calm, now=_NOW + timedelta(days=25))))) == 1


def test_when_is_soon_is_a_setting() -> None:
    assert _told(decide(_excepting(_NOW + timedelta(hours=2), soon_seconds=3600.0))) == []
    assert len(_told(decide(_excepting(_NOW + timedelta(minutes=59), soon_seconds=3600.0)))) == 1


def test_many_that_end_together_are_told_in_one() -> None:
    ((reason, note),) = _told(decide(_excepting(*(_NOW + timedelta(days=1) for _ in range(11)))))
    assert (reason, note[:40]) == ("ExceptionEndsSoon", "11 exceptions end soon: EXC-0, EXC-1, EX")


def test_a_metric_counts_them_by_policy() -> None:
    ending = _next(_excepting(_NOW + timedelta(days=2))).policy.to_document()
    calm = {**ending, "status": {}}
    metrics = OperatorMetrics()
    metrics.gauge_by("exceptions_ending", "", "policy", lambda: ending_by_policy([ending, calm]))

    assert 'pointsman_operator_exceptions_ending{policy="house"} 1.0' in metrics.page().decode()


def test_who_added_what_is_taken_out_is_told() -> None:
    held = _held(_snapshot({"rules": [rule("OWN-1")]}))
    stray = {"matchConditions": [{"name": "never", "expression": "false"}]}
    entry = {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {}}}
    policy, binding = held.natives
    meta = {**policy["metadata"], "managedFields": [entry]}
    changed = {**policy, "metadata": meta, "spec": {**policy["spec"], **stray}}

    told = [one.message for one in decide(replace(held, natives=(changed, binding))).announcements]

    name = "ValidatingAdmissionPolicy pointsman-house-modeldeployment-warn"
    assert f"{name}: matchConditions held what is not ours, by kubectl-edit" in told


def test_exceptions_are_counted_and_looked_at_when_one_ends() -> None:
    ends = [_NOW - timedelta(days=1), _NOW + timedelta(hours=1), _NOW + timedelta(days=30)]

    plan = decide(_excepting(*ends))

    assert _status(plan)["exceptions"] == {
        "active": 2,
        "expired": 1,
        "nextExpiry": "2026-11-22T13:00:00Z",
        "endingSoon": ["EXC-1"],
    }
    assert plan.again_after_seconds == 3600.0


def test_rules_that_nothing_holds_yet_are_named() -> None:
    held = _held(_snapshot({"packs": [{"name": "owasp-llm"}]}))

    message = _status(decide(held))["conditions"][1]["message"]
    assert message.startswith("not held by the API server: OWL-01")


def test_rules_in_the_background_are_named_and_asked_again_at_midnight() -> None:
    cost = _held(_snapshot({"packs": [{"name": "cost"}]}))
    residency = _held(_snapshot({"packs": [{"name": "data-residency"}]}))

    assert "looked for in the background: COST-02-SUM, COST-08-AGE" in str(_status(decide(cost)))
    assert decide(cost).again_after_seconds == 12 * 3600.0
    assert decide(residency).again_after_seconds is None


def test_an_older_kubernetes_sets_no_defaults_and_it_is_said() -> None:
    spec = {"mode": "enforce", "packs": [{"name": "baseline-security"}]}
    held = _held(_snapshot(spec, mutates=False))

    plan = decide(held)

    assert not [one for one in plan.apply if one["kind"].startswith("Mutating")]
    assert "this Kubernetes sets no defaults" in _status(plan)["conditions"][1]["message"]


def test_a_broken_rule_is_said_and_the_others_are_held() -> None:
    broken = rule("OWN-2", expression="has(object.spec.licence)")

    plan = decide(_snapshot({"rules": [rule("OWN-1"), broken]}))

    compiled = _status(plan)["conditions"][0]
    assert (compiled["status"], compiled["reason"]) == ("False", "BrokenRule")
    assert compiled["message"].startswith("spec.rules[1] (OWN-2): undefined field 'licence'")
    assert len(plan.apply) == 2


def test_what_is_found_is_in_the_status() -> None:
    violation = Violation(kind="ModelDeployment", namespace="a", name="b", rule="OWN-1", message="wrong")
    found = Found(total=70, first=(violation,), is_complete=True)

    status = _status(decide(_snapshot({"rules": [rule("OWN-1")]}, found=found)))

    assert status["violations"]["total"] == 70
    assert status["violations"]["objects"][0]["name"] == "b"


def test_a_policy_that_is_being_deleted_is_left_alone() -> None:
    snapshot = _snapshot({"rules": [rule("OWN-1")]})
    metadata = snapshot.policy.metadata.model_copy(update={"deletion_timestamp": "2026-11-22T12:00:00Z"})
    going = replace(snapshot, policy=snapshot.policy.model_copy(update={"metadata": metadata}))

    assert decide(going) == Plan()


def test_what_was_found_before_stands_until_every_object_was_looked_at() -> None:
    violation = Violation(kind="ModelRoute", namespace="team", name="chat", rule="OWN-1", message="wrong")
    former = {"violations": {"total": 70, "objects": [violation.to_document()]}}
    snapshot = _snapshot({"rules": [rule("OWN-1")]})
    policy = snapshot.policy.model_copy(
        update={"status": type(snapshot.policy.status).model_validate(former)}
    )

    kept = _status(decide(replace(snapshot, policy=policy, found=Found(total=3))))
    found = _status(decide(replace(snapshot, policy=policy, found=Found(total=3, is_complete=True))))

    assert kept["violations"] == former["violations"]
    assert found["violations"]["total"] == 3


def test_what_others_wrote_into_a_native_object_is_taken_out_and_said() -> None:
    held = _held(_snapshot({"rules": [rule("OWN-1")]}))
    policy, binding = held.natives
    stray = [*policy["spec"]["matchConditions"], {"name": "never", "expression": "false"}]
    policy = {**policy, "spec": {**policy["spec"], "matchConditions": stray}}
    binding = {**binding, "spec": {**binding["spec"], "matchResources": {"matchPolicy": "Exact"}}}

    plan = decide(replace(held, natives=(policy, binding)))

    assert [one.patch for one in plan.trim] == [
        {"spec": {"matchConditions": stray[:1]}},
        {"spec": {"matchResources": None}},
    ]
    assert [one.reason for one in plan.announcements].count("PutBack") == 2
    assert decide(held).trim == ()


def test_what_the_api_server_fills_in_stands() -> None:
    held = _held(_snapshot({"rules": [rule("OWN-1"), rule("OWN-2", kinds=["Pod"])]}))
    filled = []
    for native in held.natives:
        spec = dict(native["spec"])
        if "matchConstraints" in spec:
            rules = [{**one, "scope": "*"} for one in spec["matchConstraints"]["resourceRules"]]
            spec["matchConstraints"] = {**spec["matchConstraints"], "resourceRules": rules}
        filled.append({**native, "spec": spec})

    assert decide(replace(held, natives=tuple(filled))).trim == ()


def test_rules_of_a_policy_that_was_refused_stand_alone_and_new_objects_come_first() -> None:
    held = _held(_snapshot({"mode": "enforce", "rules": [rule("OWN-1"), rule("OWN-2")]}))
    (shared,) = {one["metadata"]["name"] for one in held.natives}
    alone = f"{shared}-alone-1"
    obstacle = Obstacle("Refused", "invalid", f"ValidatingAdmissionPolicy {alone}")

    plan = decide(replace(held, apart=frozenset({shared, alone}), obstacle=obstacle))

    policies = [one for one in plan.apply if one["kind"] == "ValidatingAdmissionPolicy"]
    assert [len(one["spec"]["validations"]) for one in policies] == [1, 1]
    assert {one.key.name for one in plan.delete} == {shared}
    assert plan.status is not None
    (enforced,) = [one for one in plan.status["status"]["conditions"] if one["type"] == "Enforced"]
    assert enforced["message"] == "[OWN-2] invalid"


def test_an_object_that_is_new_is_written_before_those_that_lose_a_rule() -> None:
    rules = [rule(f"OWN-{number}") for number in range(32)]
    held = _held(_snapshot({"rules": rules}))
    more = _snapshot({"rules": [rule("NEW-1"), *rules]}, natives=held.natives)

    plan = decide(more)

    new = {key["metadata"]["name"] for key in plan.apply} - {one["metadata"]["name"] for one in held.natives}
    assert [one["metadata"]["name"] in new for one in plan.apply] == [True, True, False, False]


def test_what_was_ours_until_now_is_nobodys_doing() -> None:
    before = _held(_snapshot({"packs": [{"name": "cost"}]}))
    ours = [
        {**one, "metadata": {**one["metadata"], "managedFields": [_all_of(one)]}} for one in before.natives
    ]
    after = _snapshot({"packs": [{"name": "cost", "exclude": ["COST-04"]}]})

    plan = decide(replace(after, natives=tuple(ours)))

    assert any("variables" in one.patch["spec"] for one in plan.trim)
    assert not [one for one in plan.announcements if one.reason == "PutBack"]


def _all_of(native: KubeObject) -> Json:
    """That the operator applied all of its variables and conditions."""
    keyed: Json = {
        f"f:{name}": {f'k:{{"name":"{one["name"]}"}}': {} for one in entries}
        for name, entries in native["spec"].items()
        if name in ("variables", "matchConditions")
    }
    others: Json = {f"f:{name}": {} for name in native["spec"] if f"f:{name}" not in keyed}
    return {"manager": MANAGER, "operation": "Apply", "fieldsV1": {"f:spec": {**others, **keyed}}}


def test_a_record_that_cannot_be_written_is_said_once_and_holds_up_nothing() -> None:
    snapshot = _held(_snapshot({"rules": [rule("OWN-1")]}))
    fine = Recording(entries=7, head="a" * 64)
    written = decide(replace(snapshot, recording=fine))
    assert _conditions(written)["Recorded"] == ("True", "Recorded")
    assert _status(written)["evidence"] == {"entries": 7, "head": "a" * 64}
    assert "Recorded" not in _conditions(decide(snapshot))

    trouble = replace(fine, why="record.jsonl: No space left on device")
    first = decide(replace(snapshot, recording=trouble))
    status = GuardrailPolicyStatus.model_validate(_status(first))
    said = snapshot.policy.model_copy(update={"status": status})
    second = decide(replace(snapshot, policy=said, recording=trouble))

    assert _conditions(first)["Recorded"] == ("False", "EvidenceNotWritten")
    assert _conditions(first)["Ready"] == ("True", "Enforced")
    assert [one.reason for one in first.announcements if one.is_warning] == ["EvidenceNotWritten"]
    assert [one.reason for one in second.announcements if one.is_warning] == []


def test_the_head_stays_until_another_is_known() -> None:
    said = GuardrailPolicyStatus(evidence=EvidenceStatus(entries=7, head="a" * 64))
    snapshot = _snapshot({"rules": [rule("OWN-1")]}, recording=Recording())
    snapshot = replace(snapshot, policy=snapshot.policy.model_copy(update={"status": said}))

    plan = decide(snapshot)

    assert _conditions(plan)["Recorded"] == ("Unknown", "Pending")
    assert _status(plan)["evidence"]["entries"] == 7
