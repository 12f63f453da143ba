"""What was created is known by a name that says what it was made of, until it is applied."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.json_text import dumped
from pointsman.kube.difference import differences, is_by, keep_own_fields
from pointsman.kube.made import as_applied, is_made, maker
from pointsman.kube.settled import Settled

Json = dict[str, Any]
US = "us"
WANTED: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "1"}}


def entry(manager: str, operation: str, fields: Json, subresource: str = "") -> Json:
    found = {"manager": manager, "operation": operation, "fieldsV1": fields}
    return {**found, "subresource": subresource} if subresource else found


def live(*entries: Json, **data: str) -> Json:
    meta = {"name": "x", "uid": "u", "resourceVersion": "1", "managedFields": list(entries)}
    return {**WANTED, "metadata": meta, "data": data}


CREATION = entry(maker(US, WANTED), "Update", {"f:data": {".": {}, "f:a": {}, "f:default": {}}})


def said(found: Any) -> str:
    return "; ".join(map(str, found))


@pytest.mark.parametrize(
    ("there", "wanted", "expected"),
    [
        (live(CREATION, a="1", default="7"), WANTED, ""),
        (live(CREATION, a="1"), {**WANTED, "data": {}}, "it was made of something else"),
        (live(CREATION, a="2"), WANTED, 'data.a: "1" is wanted, "2" is there'),
        (
            live(entry(maker(US, WANTED), "Update", {"f:data": {"f:default": {}}}), a="2", default="7"),
            WANTED,
            'data.a: "1" is wanted, and the field is not ours',
        ),
        (live(CREATION), {**WANTED, "data": {"a": "1"}}, 'data.a: "1" is wanted, nothing is there'),
        # Once it is applied, that counts.
        (
            live(CREATION, entry(US, "Apply", {"f:data": {"f:a": {}, "f:b": {}}}), a="1", b="2"),
            WANTED,
            "data.b: it is ours and no longer wanted",
        ),
        (live(entry("kubectl", "Update", {"f:data": {"f:a": {}}}), a="1"), WANTED, "us never applied it"),
    ],
    ids=["as made", "another intent", "changed", "taken", "gone", "applied since", "not ours"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_what_needs_a_call(there: Json, wanted: Json, expected: str, packed: bool) -> None:
    held = keep_own_fields(there, frozenset({US})) if packed else there
    assert said(differences(held, wanted, US)) == expected


def test_the_note_of_a_creation_becomes_that_of_an_apply() -> None:
    theirs = entry("kubectl", "Update", {"f:data": {"f:c": {}}})
    status = entry(maker(US, WANTED), "Update", {"f:status": {}}, "status")
    former = entry(US, "Apply", {"f:data": {"f:b": {}}})
    assert as_applied([theirs, CREATION, status, former], US) == [
        theirs,
        status,
        entry(US, "Apply", {"f:data": {".": {}, "f:a": {}, "f:default": {}, "f:b": {}}}),
    ]
    assert as_applied([theirs, former], US) == [theirs, former]


def test_who_made_it() -> None:
    assert is_made(live(CREATION), US)
    assert is_by(live(CREATION), US)
    assert not is_made(live(CREATION), "other")
    assert not is_by(live(entry(US, "Update", {})), US), "another client by the same name"
    assert not is_made(live(CREATION, entry(US, "Apply", {})), US)
    assert is_by(live(CREATION, entry(US, "Apply", {})), US)


def test_a_name_is_short_enough_for_the_api_server() -> None:
    name = maker("pointsman-operator", {**WANTED, "data": {"a": "x" * 10_000}})
    assert len(name) <= 128
    assert name != maker("pointsman-operator", WANTED)


def test_a_field_that_somebody_took_is_seen_though_only_its_owner_changed() -> None:
    """The content is the same as at the last look; who owns it is not."""
    settled = Settled()
    made = live(CREATION, a="1", default="7")
    settled.applied(made, WANTED, US)
    taken = live(entry(maker(US, WANTED), "Update", {"f:data": {"f:default": {}}}), a="1", default="7")
    taken["metadata"]["resourceVersion"] = "2"
    assert dumped(taken["data"]) == dumped(made["data"])
    assert settled.open_differences(taken, WANTED, US)
