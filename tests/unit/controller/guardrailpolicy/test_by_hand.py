"""Who changed or deleted a native object that is put back."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.controller.guardrailpolicy.by_hand import (
    changed_by_hand,
    keep_writers,
    standing,
    writers,
)
from pointsman.kube.made import maker
from pointsman.kube.objects import KubeObject, key_of, kind_of

Json = dict[str, Any]

_OURS = "pointsman-operator"


def _wanted(policy: str = "Fail") -> Json:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "pointsman-house"},
        "spec": {"failurePolicy": policy},
    }


def _live(wanted: Json, *others: Json, **spec: Any) -> Json:
    """As the API server has it after our apply, and what others did then."""
    ours = {"manager": _OURS, "operation": "Apply", "fieldsV1": {"f:spec": {"f:failurePolicy": {}}}}
    meta = {**wanted["metadata"], "uid": "1", "managedFields": [ours, *others]}
    return {**wanted, "metadata": meta, "spec": {**wanted["spec"], **spec}}


def _by(manager: str, field: str = "f:spec", **rest: str) -> Json:
    return {
        "manager": manager,
        "operation": "Update",
        "fieldsV1": {field: {"f:failurePolicy": {}}},
        **rest,
    }


def _said(wanted: Json, live: KubeObject | None, before: KubeObject | None = None) -> list[str]:
    """About `live`, where `before` stood at the look before."""
    place = kind_of(wanted), key_of(wanted)
    stood = standing([wanted], {place: before} if before is not None else {}, {})
    there = {place: live} if live is not None else {}
    return [one.message for one in changed_by_hand([wanted], there, stood)]


_NAME = "ValidatingAdmissionPolicy pointsman-house"


@pytest.mark.parametrize(
    ("entry", "who"),
    [
        ([_by("kubectl-edit")], "kubectl-edit"),
        ([_by("kubectl-edit"), _by("argocd")], "argocd and kubectl-edit"),
        ([_by("kube-controller-manager", "f:status", subresource="status")], "somebody"),
        ([_by("kubectl-label", "f:metadata")], "somebody"),
        ([], "somebody"),
    ],
)
def test_who_changed_the_spec_is_named(entry: list[Json], who: str) -> None:
    wanted = _wanted()
    changed = keep_writers(_live(wanted, *entry, failurePolicy="Ignore"))

    assert _said(wanted, changed, _live(wanted)) == [f"{_NAME} was changed by {who} and is put back"]


def test_what_was_deleted_is_told_where_it_stood() -> None:
    wanted = _wanted()
    assert _said(wanted, None, _live(wanted)) == [f"{_NAME} was deleted and is made again"]
    assert _said(wanted, None) == [], "it is made for the first time"


def test_what_is_wanted_anew_is_nobodys_change() -> None:
    before = _live(_wanted("Ignore"))
    assert _said(_wanted(), before, before) == []


def test_after_a_restart_who_left_a_trace_is_named_still() -> None:
    wanted = _wanted()
    assert _said(wanted, _live(wanted, _by("kubectl-edit"), failurePolicy="Ignore")) == [
        f"{_NAME} was changed by kubectl-edit and is put back"
    ]
    assert _said(wanted, _live(wanted, _by("kubectl-edit"))) == [], "they wrote what is wanted"


def test_until_it_is_put_back_it_is_known_that_it_stood() -> None:
    wanted = _wanted()
    place = kind_of(wanted), key_of(wanted)
    first = standing([wanted], {place: _live(wanted)}, {})
    second = standing([wanted], {place: _live(wanted, failurePolicy="Ignore")}, first)
    assert second == first
    assert standing([_wanted("Ignore")], {place: _live(wanted)}, second) == {}
    assert standing([], {place: _live(wanted)}, second) == {}


def test_the_one_who_made_it_for_us_is_none_of_them() -> None:
    wanted = _wanted()
    made = {**_live(wanted), "metadata": {"managedFields": [_by(maker(_OURS, wanted))]}}
    assert writers(made) == ()
