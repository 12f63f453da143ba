"""Whether a call is needed, case by case; the real API server's judgement is in the integration tests."""

from typing import Any

import pytest

from pointsman.kube.difference import differences, keep_own_fields

MANAGER = "pointsman-operator"
PORT = 'k:{"containerPort":8000,"protocol":"TCP"}'


def live(
    fields: dict[str, Any], spec: Any, *, manager: str = MANAGER, subresource: str = ""
) -> dict[str, Any]:
    entry = {"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": fields}}
    if subresource:
        entry |= {"subresource": subresource, "fieldsV1": {"f:status": fields}}
    part = "status" if subresource else "spec"
    return {"metadata": {"name": "x", "managedFields": [entry]}, part: spec}


def wanted(spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "spec": spec}


CASES: dict[str, tuple[dict[str, Any], Any, Any, list[str]]] = {
    "the same": ({"f:a": {}}, {"a": 1}, {"a": 1}, []),
    "another value": ({"f:a": {}}, {"a": 1}, {"a": 2}, ["spec.a: 2 is wanted, 1 is there"]),
    "true is not 1": ({"f:a": {}}, {"a": 1}, {"a": True}, ["spec.a: true is wanted, 1 is there"]),
    "text is not a number": ({"f:a": {}}, {"a": "1"}, {"a": 1}, ['spec.a: 1 is wanted, "1" is there']),
    "somebody took one of two": (
        {"f:a": {}},
        {"a": 1, "b": 2},
        {"a": 1, "b": 2},
        ["spec.b: 2 is wanted, and the field is not ours"],
    ),
    "somebody removed it": ({"f:a": {}}, {"b": 0}, {"a": 1}, ["spec.a: 1 is wanted, nothing is there"]),
    "no longer wanted": (
        {"f:a": {}, "f:b": {}},
        {"a": 1, "b": 2},
        {"a": 1},
        ["spec.b: it is ours and no longer wanted"],
    ),
    "defaults beside ours": ({"f:a": {}}, {"a": 1, "b": 2}, {"a": 1}, []),
    "null is not wanted": ({"f:a": {}}, {"a": 1}, {"a": 1, "b": None}, []),
    "false that is left out": ({"f:a": {}}, {}, {"a": False}, []),
    "a quantity in its shortest form": (
        {"f:resources": {"f:limits": {"f:cpu": {}, "f:memory": {}}}},
        {"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}},
        {"resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}}},
        [],
    ),
    "a quantity as a number": (
        {"f:resources": {"f:limits": {"f:nvidia.com/gpu": {}}}},
        {"resources": {"limits": {"nvidia.com/gpu": "8"}}},
        {"resources": {"limits": {"nvidia.com/gpu": 8}}},
        [],
    ),
    "what only looks like a quantity": (
        {"f:limits": {}},
        {"limits": "1"},
        {"limits": "1000m"},
        ['spec.limits: "1000m" is wanted, "1" is there'],
    ),
    "a port's protocol": (
        {"f:ports": {PORT: {".": {}, "f:containerPort": {}}}},
        {"ports": [{"containerPort": 8000, "protocol": "TCP"}]},
        {"ports": [{"containerPort": 8000}]},
        [],
    ),
    "another protocol": (
        {"f:ports": {PORT: {".": {}, "f:containerPort": {}}}},
        {"ports": [{"containerPort": 8000, "protocol": "TCP"}]},
        {"ports": [{"containerPort": 8000, "protocol": "UDP"}]},
        [
            'spec.ports[{"containerPort": 8000, "protocol": "UDP"}]: it is wanted, and it is not ours',
            "spec.ports[containerPort=8000,protocol=TCP]: it is ours and no longer wanted",
        ],
    ),
    "another's item in the list": (
        {"f:env": {'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}}},
        {"env": [{"name": "Z", "value": "9"}, {"name": "A", "value": "1"}]},
        {"env": [{"name": "A", "value": "1"}]},
        [],
    ),
    "another order": (
        {"f:env": {'k:{"name":"A"}': {"f:name": {}}, 'k:{"name":"B"}': {"f:name": {}}}},
        {"env": [{"name": "B"}, {"name": "A"}]},
        {"env": [{"name": "A"}, {"name": "B"}]},
        ["spec.env: another order is wanted"],
    ),
    "a list that is one value": (
        {"f:args": {}},
        {"args": ["a", "b"]},
        {"args": ["a"]},
        ['spec.args: ["a"] is wanted, ["a", "b"] is there'],
    ),
    "a map that is one value and had more": (
        {"f:nodeSelector": {}},
        {"nodeSelector": {"a": "1", "b": "2"}},
        {"nodeSelector": {"a": "1"}},
        ['spec.nodeSelector: {"a": "1"} is wanted, {"a": "1", "b": "2"} is there'],
    ),
    "a default inside one value": (
        {"f:egress": {}},
        {"egress": [{"ports": [{"port": 443, "protocol": "TCP"}]}]},
        {"egress": [{"ports": [{"port": 443}]}]},
        [],
    ),
    "an empty selector that is new": (
        {"f:egress": {}},
        {"egress": [{"to": [{"namespaceSelector": {}}]}]},
        {"egress": [{"to": [{"namespaceSelector": {}, "podSelector": {}}]}]},
        [
            'spec.egress: [{"to": [{"namespaceSelector": {}, "podSelector": {}}]}] is wanted, '
            '[{"to": [{"namespaceSelector": {}}]}] is there'
        ],
    ),
    "a set in another order": (
        {"f:tags": {'v:"a"': {}, 'v:"b"': {}}},
        {"tags": ["b", "a"]},
        {"tags": ["a", "b"]},
        [],
    ),
    "one less in a set": (
        {"f:tags": {'v:"a"': {}, 'v:"b"': {}}},
        {"tags": ["b", "a"]},
        {"tags": ["a"]},
        ['spec.tags."b": it is ours and no longer wanted'],
    ),
    "a plain value for what had members": (
        {"f:a": {"f:b": {}}},
        {"a": {"b": 1}},
        {"a": 5},
        ["spec.a: it had members, and a plain value is wanted"],
    ),
}


@pytest.mark.parametrize(("fields", "there", "want", "want_differences"), CASES.values(), ids=CASES)
def test_differences(fields: dict[str, Any], there: Any, want: Any, want_differences: list[str]) -> None:
    assert [
        str(found) for found in differences(live(fields, there), wanted(want), MANAGER)
    ] == want_differences


def test_what_does_not_exist_or_was_never_applied_says_so() -> None:
    assert [str(found) for found in differences(None, wanted({}), MANAGER)] == ["it does not exist"]
    others = live({"f:a": {}}, {"a": 1}, manager="kubectl")
    assert [str(found) for found in differences(others, wanted({"a": 1}), MANAGER)] == [
        "pointsman-operator never applied it"
    ]


def test_an_update_under_our_name_is_no_apply() -> None:
    there = live({"f:a": {}}, {"a": 1})
    there["metadata"]["managedFields"][0]["operation"] = "Update"
    assert differences(there, wanted({"a": 1}), MANAGER)


def test_status_is_looked_at_by_itself() -> None:
    there = live({"f:phase": {}}, {"phase": "Ready", "theirs": 1}, subresource="status")
    intent = {**wanted({"ignored": True}), "status": {"phase": "Ready"}}
    assert differences(there, intent, MANAGER, subresource="status") == ()
    intent["status"] = {"phase": "Failed"}
    (found,) = differences(there, intent, MANAGER, subresource="status")
    assert str(found) == 'status.phase: "Failed" is wanted, "Ready" is there'


def test_names_and_versions_are_not_compared() -> None:
    intent = wanted({"a": 1})
    intent["metadata"] |= {"uid": "u", "resourceVersion": "7", "namespace": "other"}
    assert differences(live({"f:a": {}}, {"a": 1}), intent, MANAGER) == ()


def test_there_is_an_end_to_what_is_told() -> None:
    names = [f"n{number}" for number in range(100)]
    there = live({f"f:{name}": {} for name in names}, dict.fromkeys(names, 1))
    assert len(differences(there, wanted(dict.fromkeys(names, 2)), MANAGER)) == 20


def test_others_managed_fields_can_be_left_out_of_a_store() -> None:
    there = live({"f:a": {}}, {"a": 1})
    there["metadata"]["managedFields"].append({"manager": "kubectl", "operation": "Update"})
    kept = keep_own_fields(there, frozenset({MANAGER}))
    assert [entry["manager"] for entry in kept["metadata"]["managedFields"]] == [MANAGER]
    assert len(there["metadata"]["managedFields"]) == 2, "the object that came is not changed"
    assert keep_own_fields(kept, frozenset({MANAGER})) is kept
