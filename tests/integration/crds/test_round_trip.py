"""What is written is what is read: the API server prunes no field of the models, and adds defaults alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pointsman.api import GuardrailPolicy, ModelDeployment, ModelRoute
from pointsman.api.parsing import OWN_KINDS
from pointsman.api.resource import Resource
from tests.support.api_samples import valid_documents
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError
from tests.support.crds.damage import damaged
from tests.support.crds.schema import Schema, constraints, fields, schema_of, stated_fields, with_defaults

pytestmark = pytest.mark.usefixtures("definitions")

Json = Any
OURS = [one for one in valid_documents() if one["kind"] != "Secret"]
every_object = pytest.mark.parametrize("document", OURS, ids=lambda one: one["metadata"]["name"])
one_of_each_kind = pytest.mark.parametrize(
    "document", {one["kind"]: one for one in OURS}.values(), ids=lambda one: one["kind"]
)


def in_namespace(document: Json, namespace: str) -> Json:
    return {**document, "metadata": {**document["metadata"], "namespace": namespace}}


@pytest.fixture
def held(document: Json, admin: Admin, namespace: str) -> Iterator[Json]:
    """The object as it is read back from the API server."""
    made = admin.create(in_namespace(document, namespace), namespace)
    yield admin.get(made["apiVersion"], made["kind"], made["metadata"]["name"], namespace)
    admin.delete(made["apiVersion"], made["kind"], made["metadata"]["name"], namespace)


@pytest.mark.parametrize("kind", OWN_KINDS)
def test_the_valid_objects_have_every_field(kind: str) -> None:
    """So that the tests below are about all of them."""
    found = {path for one in OURS if one["kind"] == kind for path in stated(one)}
    assert set(fields(kind, "spec")) - found == set()


@every_object
def test_no_field_is_lost_and_nothing_is_added_but_defaults(document: Json, held: Json) -> None:
    schema = schema_of(document["kind"])["properties"]["spec"]
    assert held["spec"] == with_defaults(document["spec"], schema)
    for part in ("labels", "annotations"):
        assert held["metadata"].get(part) == document["metadata"].get(part)


@every_object
def test_the_models_write_what_they_read(document: Json, held: Json, admin: Admin) -> None:
    """The object as the models say it, written over what a person wrote, loses nothing either."""
    read = model_of(document).model_validate(held, extra="ignore")
    metadata = {name: held["metadata"][name] for name in ("name", "namespace") if name in held["metadata"]}
    said = {**read.to_document(), "metadata": metadata}
    again = admin.apply(said, held["metadata"].get("namespace", ""), force=True, manager="models")
    assert model_of(document).model_validate(again, extra="ignore").spec == read.spec
    assert set(stated(again)) == set(stated(held))


def test_a_list_that_is_applied_takes_the_place_of_its_default(admin: Admin, namespace: str) -> None:
    [document] = (one for one in OURS if one["metadata"]["name"] == "qwen3-8b")
    unstated = in_namespace(document, namespace)
    assert admin.apply(unstated, namespace)["spec"]["tasks"] == ["chat", "completion"]
    stated_now = {**unstated, "spec": {**unstated["spec"], "tasks": ["embedding"]}}
    assert admin.apply(stated_now, namespace)["spec"]["tasks"] == ["embedding"]
    assert admin.apply(unstated, namespace)["spec"]["tasks"] == ["chat", "completion"]


@one_of_each_kind
def test_no_field_of_a_status_is_lost(document: Json, held: Json, admin: Admin) -> None:
    status = full(schema_of(document["kind"])["properties"]["status"])
    written = put_status(admin, held, status)
    assert written["status"] == status
    read = model_of(document).model_validate(written, extra="ignore")
    assert read.to_document()["status"] == status


@one_of_each_kind
def test_both_ask_the_same_of_a_status(document: Json, held: Json, admin: Admin) -> None:
    """`pointsman validate` does not look at statuses: the models of what the operator writes are compared."""
    full_status = full(schema_of(document["kind"])["properties"]["status"])
    differing = []
    for constraint in constraints(document["kind"], "status"):
        broken = damaged(constraint, [{**held, "status": full_status}])
        assert broken is not None, str(constraint)
        verdicts = is_taken(admin, broken.document), is_read(model_of(document), broken.document)
        if verdicts != (False, False):
            differing.append(str(constraint))
    assert differing == []


def model_of(document: Json) -> type[ModelDeployment | ModelRoute | GuardrailPolicy]:
    return OWN_KINDS[document["kind"]]


def stated(document: Json) -> Iterator[str]:
    return stated_fields("spec", document["spec"], schema_of(document["kind"])["properties"]["spec"])


def is_taken(admin: Admin, document: Json) -> bool:
    try:
        put_status(admin, document, document["status"], dryRun="All", fieldValidation="Strict")
    except ApiError:
        return False
    return True


def is_read(kind: type[Resource], document: Json) -> bool:
    try:
        metadata = {"name": document["metadata"]["name"]}
        kind.model_validate({**document, "metadata": metadata}, extra="forbid", by_name=False)
    except ValueError:
        return False
    return True


def put_status(admin: Admin, held: Json, status: Json, **parameters: str) -> Json:
    metadata = held["metadata"]
    namespaced = f"/namespaces/{metadata['namespace']}" if metadata.get("namespace") else ""
    plural = "guardrailpolicies" if held["kind"] == "GuardrailPolicy" else f"{held['kind'].lower()}s"
    path = f"/apis/{held['apiVersion']}{namespaced}/{plural}/{metadata['name']}/status"
    return admin.request("PUT", path, {**held, "status": status}, parameters=parameters)


def full(schema: Schema) -> Json:
    """A value with every field that the schema has."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema["type"]:
        case "object":
            return {name: full(below) for name, below in schema["properties"].items()}
        case "array":
            return [full(schema["items"])]
        case "integer":
            return 7
        case "boolean":
            return True
        case _:
            return "1.5"  # an amount of money; any text elsewhere
