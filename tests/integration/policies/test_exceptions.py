"""Exceptions end by themselves at a running API server: no process of ours takes part in these tests."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pointsman.api import GuardrailPolicy
from pointsman.policy.compiled import compile_policy
from pointsman.policy.native.validating import validating
from pointsman.policy.packs import shipped_library
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import APPLY, JSON_PATCH, MERGE, ApiError
from tests.support.policies import LICENSED, policy_for
from tests.support.polling import eventually

pytestmark = pytest.mark.usefixtures("definitions")

Json = dict[str, Any]
Enforce = Callable[..., None]

_API = "pointsman.dev/v1alpha1"
_numbers = itertools.count()
_LONG = timedelta(days=30)
_SHORT = timedelta(seconds=4)


@pytest.fixture
def enforce(admin: Admin, namespace: str) -> Iterator[Enforce]:
    """Put a rule in force in the test's namespace: a license must be stated. Exceptions are for `old`."""
    made: list[Json] = []

    def enforce(*exceptions: Json, packs: Sequence[Json] = (), rules: Sequence[Json] = ()) -> None:
        policy = policy_for(
            namespace, packs=list(packs), rules=[LICENSED, *rules], exceptions=list(exceptions)
        )
        compiled = compile_policy(GuardrailPolicy.model_validate(policy), shipped_library())
        assert not compiled.problems
        for manifest in validating(compiled, _now()):
            made.append(manifest)
            admin.apply(manifest)
        eventually(
            lambda: _refused(lambda: _create(admin, namespace, "other", dry=True)), 60, "it is in force"
        )

    yield enforce
    for manifest in made:
        admin.delete(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])


def exception(until: datetime, **match: Any) -> Json:
    return {
        "id": f"EXC-{next(_numbers)}",
        "rules": ["LIC-1"],
        "match": match or {"names": ["old"]},
        "until": until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": "a migration",
        "approvedBy": "security",
    }


def _now() -> datetime:
    return datetime.now(UTC)


def test_one_that_lasts_counts_for_its_objects_alone(admin: Admin, namespace: str, enforce: Enforce) -> None:
    enforce(exception(_now() + _LONG))

    _create(admin, namespace, "old")
    # Stamps are whole seconds: a second change in the same second tells no time.
    eventually(
        lambda: not _refused(lambda: _apply(admin, namespace, "old", replicas=2)), 60, "a second passed"
    )
    assert "LIC-1" in _refusal(lambda: _create(admin, namespace, "new"))


def test_it_ends_at_creation_and_at_update_within_two_seconds(
    admin: Admin, namespace: str, enforce: Enforce
) -> None:
    _create(admin, namespace, "old")
    until = (_now() + _SHORT).replace(microsecond=0)
    enforce(exception(until, names=["old", "another"]))
    assert not _refused(lambda: _create(admin, namespace, "another", dry=True)) or _now() >= until

    def updates() -> bool:
        return _refused(lambda: _apply(admin, namespace, "old", replicas=2, dry=True))

    eventually(lambda: not updates() or _now() >= until, 60, "a second passed since its creation")

    def ended() -> bool:
        began = _now()
        if _refused(lambda: _create(admin, namespace, "another", dry=True)):
            return True
        # The API server's stamps are whole seconds. Not an assertion, which would be taken for "not yet".
        if (began - until).total_seconds() >= 2:
            pytest.fail("it still counts at creation")
        return False

    eventually(ended, 60, "it ended at creation")
    assert _now() >= until
    assert updates()


def test_by_labels_of_the_namespace(admin: Admin, namespace: str, enforce: Enforce) -> None:
    lab = {"namespaceSelector": {"matchExpressions": [{"key": "stage", "operator": "In", "values": ["lab"]}]}}
    enforce(exception(_now() + _LONG, **lab, names=["old"]))
    assert _refused(lambda: _create(admin, namespace, "old", dry=True))

    admin.patch("v1", "Namespace", namespace, {"metadata": {"labels": {"stage": "lab"}}})

    eventually(
        lambda: not _refused(lambda: _create(admin, namespace, "old", dry=True)), 60, "the label counts"
    )


def test_a_change_that_tells_no_time_is_refused_and_says_how_to_repeat_it(
    admin: Admin, namespace: str, enforce: Enforce
) -> None:
    _apply(admin, namespace, "old", replicas=3)
    enforce(exception(_now() + _LONG))
    removal = [{"op": "remove", "path": "/spec/tier"}]

    def removes() -> None:
        admin.patch(_API, "ModelDeployment", "old", removal, namespace, content_type=JSON_PATCH)

    assert "kubectl apply --server-side" in _refusal(removes)
    # In the second of its creation this tells no time either.
    eventually(
        lambda: not _refused(lambda: _apply(admin, namespace, "old", replicas=4)), 60, "a second passed"
    )


@pytest.mark.parametrize(
    ("stamp", "is_refused"),
    [("2001-01-01T00:00:00Z", True), ("2999-01-01T00:00:00Z", True), (None, True)],
    ids=["into the past", "into the future", "cleared"],
)
def test_forged_times_end_it(
    admin: Admin, namespace: str, enforce: Enforce, stamp: str | None, is_refused: bool
) -> None:
    _apply(admin, namespace, "old", replicas=3)
    enforce(exception(_now() + _LONG))
    live = admin.get(_API, "ModelDeployment", "old", namespace)
    entries = (
        [{}] if stamp is None else [{**entry, "time": stamp} for entry in live["metadata"]["managedFields"]]
    )
    live["metadata"]["managedFields"] = entries
    del live["spec"]["tier"]

    path = f"/apis/{_API}/namespaces/{namespace}/modeldeployments/old"

    assert _refused(lambda: admin.request("PUT", path, live)) is is_refused


def test_an_old_violator_can_be_labelled_freed_and_deleted(
    admin: Admin, namespace: str, enforce: Enforce
) -> None:
    finalizer = {"finalizers": ["tests/hold"]}
    admin.create(_deployment("old", finalizer), namespace)
    enforce()

    admin.patch(_API, "ModelDeployment", "old", {"metadata": {"labels": {"team": "a"}}}, namespace)
    admin.delete(_API, "ModelDeployment", "old", namespace)
    admin.patch(_API, "ModelDeployment", "old", {"metadata": {"finalizers": None}}, namespace)

    assert admin.find(_API, "ModelDeployment", "old", namespace) is None


def test_an_old_violator_is_stored_anew_and_goes_with_its_namespace(
    admin: Admin, namespace: str, enforce: Enforce
) -> None:
    _create(admin, namespace, "old")
    enforce()
    path = f"/apis/{_API}/namespaces/{namespace}/modeldeployments/old"
    live = admin.get(_API, "ModelDeployment", "old", namespace)

    # As kubectl replace does, as the storage version migrator does, and as tools did before there was one.
    admin.request("PUT", path, live)
    kept = {name: live["metadata"][name] for name in ("name", "uid")}
    migrated = {"apiVersion": _API, "kind": "ModelDeployment", "metadata": kept}
    admin.request(
        "PATCH", path, migrated, content_type=APPLY, parameters={"fieldManager": "migrator", "force": "true"}
    )
    admin.patch(_API, "ModelDeployment", "old", {}, namespace)
    assert _refused(lambda: _apply(admin, namespace, "old", replicas=2))

    admin.delete("v1", "Namespace", namespace)
    admin.wait_gone("v1", "Namespace", namespace)


def test_scaling_past_a_limit_is_refused_at_the_scale_subresource(
    admin: Admin, namespace: str, enforce: Enforce
) -> None:
    cost = {"name": "cost", "parameters": {"maxReplicas": 4}}
    own = {**LICENSED, "id": "OWN-2", "expression": "object.spec.replicas != 3", "message": "three is odd"}
    mixed = "object.spec.tier == 'longTail' || object.spec.replicas != 2"
    stated = {**own, "id": "OWN-3", "expression": mixed, "scale": "object.spec.replicas != 2"}
    _create(admin, namespace, "old")
    enforce(packs=[cost], rules=[own, stated])

    def scales(replicas: int) -> None:
        change = {"spec": {"replicas": replicas}}
        admin.patch(
            _API, "ModelDeployment", "old", change, namespace, content_type=MERGE, subresource="scale"
        )

    assert not _refused(lambda: scales(4))
    assert "COST-04" in eventually(lambda: _refusal(lambda: scales(5)), 60, "it is in force for scaling")
    assert "OWN-2" in _refusal(lambda: scales(3))
    assert "OWN-3" in _refusal(lambda: scales(2))
    assert not _refused(lambda: scales(0))
    assert not _refused(lambda: scales(1))


def _deployment(name: str, metadata: Json | None = None, replicas: int = 1) -> Json:
    return {
        "apiVersion": _API,
        "kind": "ModelDeployment",
        "metadata": {"name": name, **(metadata or {})},
        "spec": {
            "tier": "brain",
            "replicas": replicas,
            "model": {"source": "hf://Qwen/Qwen3-32B"},
            "engine": {"name": "vllm"},
        },
    }


def _create(admin: Admin, namespace: str, name: str, *, dry: bool = False) -> None:
    path = f"/apis/{_API}/namespaces/{namespace}/modeldeployments"
    admin.request("POST", path, _deployment(name), parameters={"dryRun": "All"} if dry else {})


def _apply(admin: Admin, namespace: str, name: str, *, replicas: int, dry: bool = False) -> None:
    path = f"/apis/{_API}/namespaces/{namespace}/modeldeployments/{name}"
    parameters = {"fieldManager": "tests", "force": "true", **({"dryRun": "All"} if dry else {})}
    body = _deployment(name, replicas=replicas)
    admin.request("PATCH", path, body, content_type=APPLY, parameters=parameters)


def _refusal(change: Callable[[], None]) -> str:
    """What the API server says against it; "" if nothing."""
    try:
        change()
    except ApiError as error:
        if error.status != 403:
            raise
        return str(error)
    return ""


def _refused(change: Callable[[], None]) -> bool:
    return bool(_refusal(change))
