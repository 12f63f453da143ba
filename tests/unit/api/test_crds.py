"""The CustomResourceDefinitions in crds/ are what the models say, and are bounded."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.api.crd import KINDS, definition, file_name, file_text, unbounded
from pointsman.api.crd.__main__ import main
from pointsman.api.crd.structural import structural_schema
from pointsman.api.names import ShortText
from pointsman.api.record import Record
from pointsman.api.resource import Resource

CRDS = Path(__file__).parents[3] / "crds"
VALUES = CRDS.parent / "charts" / "pointsman" / "values.schema.json"

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def spec_of(kind: type[Resource]) -> Any:
    return definition(kind)["spec"]


def schema_of(kind: type[Resource], *path: str) -> Any:
    schema = spec_of(kind)["versions"][0]["schema"]["openAPIV3Schema"]
    for step in path:
        schema = schema["items"] if step == "[]" else schema["properties"][step]
    return schema


@kinds
def test_the_committed_file_is_what_the_models_say(kind: type[Resource]) -> None:
    assert (CRDS / file_name(kind)).read_text() == file_text(kind), "run `make generate` and commit"


def test_there_is_a_file_for_each_kind_and_no_other() -> None:
    assert sorted(path.name for path in CRDS.iterdir()) == sorted(file_name(kind) for kind in KINDS)


def test_generating_writes_the_same_bytes_again(tmp_path: Path) -> None:
    values = tmp_path / "values.schema.json"
    values.write_bytes(VALUES.read_bytes())
    assert main([str(tmp_path / "out"), str(values)]) == 0
    assert values.read_bytes() == VALUES.read_bytes()
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert written == {path.name: path.read_bytes() for path in CRDS.iterdir()}


@kinds
def test_everything_has_a_bound(kind: type[Resource]) -> None:
    assert [
        *unbounded(schema_of(kind, "spec"), "spec"),
        *unbounded(schema_of(kind, "status"), "status"),
    ] == []


@pytest.mark.parametrize(
    ("schema", "want"),
    [
        ({"type": "string"}, ["x: maxLength"]),
        ({"type": "string", "enum": ["a"]}, []),
        ({"type": "integer", "minimum": 0}, ["x: maximum"]),
        ({"type": "number"}, ["x: a type that can be bounded"]),
        ({"type": "array", "items": {"type": "string", "maxLength": 1}}, ["x: maxItems"]),
        (
            {"type": "object", "additionalProperties": {"type": "boolean"}, "properties": {}},
            ["x: maxProperties"],
        ),
        ({"type": "object", "properties": {"y": {"type": "string"}}}, ["x.y: maxLength"]),
        ({"x-kubernetes-int-or-string": True}, ["x: maxLength"]),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, []),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_missing_bound_is_named(schema: dict[str, Any], want: list[str]) -> None:
    assert list(unbounded(schema, "x")) == want


@kinds
def test_the_kind_has_its_short_name_and_category(kind: type[Resource]) -> None:
    names = spec_of(kind)["names"]
    assert names["categories"] == ["pointsman"]
    assert names["shortNames"] == [
        {"ModelDeployment": "pmd", "ModelRoute": "pmr", "GuardrailPolicy": "pgp"}[kind.__name__]
    ]


COLUMNS = {
    "ModelDeployment": "Ready Model Engine Accelerator Replicas Desired (Cost/h) (Revision) (Reason) Age",
    "ModelRoute": "Ready Models Targets Canary Phase Age",
    "GuardrailPolicy": "Ready Mode Rules Violations Exceptions Next-Expiry Age",
}


@kinds
def test_kubectl_get_shows_the_columns_that_people_know(kind: type[Resource]) -> None:
    columns = spec_of(kind)["versions"][0]["additionalPrinterColumns"]
    shown = " ".join(f"({c['name']})" if c.get("priority") else c["name"] for c in columns)
    assert shown == COLUMNS[kind.__name__]


def test_only_a_policy_is_cluster_scoped_and_only_a_deployment_scales() -> None:
    scopes = {kind.__name__: spec_of(kind)["scope"] for kind in KINDS}
    assert scopes == {
        "ModelDeployment": "Namespaced",
        "ModelRoute": "Namespaced",
        "GuardrailPolicy": "Cluster",
    }
    scales = {kind.__name__: spec_of(kind)["versions"][0]["subresources"].get("scale") for kind in KINDS}
    assert scales == {
        "ModelDeployment": {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
        "ModelRoute": None,
        "GuardrailPolicy": None,
    }


def test_lists_of_named_things_merge_by_name() -> None:
    route, deployment = KINDS[1], KINDS[0]
    adapters = schema_of(deployment, "spec", "model", "adapters")
    assert (adapters["x-kubernetes-list-type"], adapters["x-kubernetes-list-map-keys"]) == ("map", ["name"])
    conditions = schema_of(deployment, "status", "conditions")
    assert (conditions["x-kubernetes-list-type"], conditions["x-kubernetes-list-map-keys"]) == (
        "map",
        ["type"],
    )
    assert schema_of(route, "spec", "rules")["x-kubernetes-list-type"] == "atomic"


def test_defaults_stand_in_the_schema_and_never_in_a_status() -> None:
    deployment, route, _ = KINDS
    assert schema_of(deployment, "spec", "replicas")["default"] == 1
    assert schema_of(route, "spec", "canary", "stepMinimum")["default"] == "5m"
    assert "default" not in schema_of(deployment, "spec", "drain")
    for kind in KINDS:
        assert "default" not in yaml.safe_dump(schema_of(kind, "status")).replace(" default", "")


def merged_defaults(schema: Any, path: str = "") -> list[str]:
    merged = schema.get("x-kubernetes-list-type") in ("set", "map") and "default" in schema
    found = [path] if merged else []
    for name, below in schema.get("properties", {}).items():
        found += merged_defaults(below, f"{path}.{name}")
    return found + merged_defaults(schema.get("items", {}), f"{path}[]") if "items" in schema else found


@kinds
def test_no_list_with_a_default_is_merged(kind: type[Resource]) -> None:
    """A default belongs to nobody: what is applied after it would be added to it."""
    assert merged_defaults(schema_of(kind, "spec")) == []


def defaults_in_lists(schema: Any, path: str = "", in_list: bool = False) -> list[str]:
    found = [path] if in_list and "default" in schema else []
    below = {f".{name}": (value, in_list) for name, value in schema.get("properties", {}).items()}
    if "items" in schema:
        below["[]"] = (schema["items"], True)
    return found + [
        place
        for step, (value, listed) in below.items()
        for place in defaults_in_lists(value, path + step, listed)
    ]


@kinds
def test_the_items_of_a_list_have_no_default(kind: type[Resource]) -> None:
    # A list is compared as a whole by tools that hold a cluster to a repository: what the API server fills in
    # would be a difference for ever.
    assert defaults_in_lists(schema_of(kind)) == []


def test_a_default_that_only_the_models_apply_is_said_in_words() -> None:
    rules = schema_of(KINDS[1], "spec", "rules", "[]")["properties"]
    assert rules["targets"]["items"]["properties"]["weight"]["description"] == "Default: 1."
    assert rules["timeouts"]["properties"]["request"]["description"].endswith(" Default: 10m.")
    assert rules["fallback"]["properties"]["when"]["description"].endswith(
        " Default: connectFailure, serverError, rateLimited, timeout, firstTokenTimeout, contextOverflow, "
        "noCapacity."
    )


def test_a_type_that_contains_itself_is_refused() -> None:
    class Branch(Record):
        name: ShortText
        below: "Branch | None" = None

    class Tree(Resource):
        """A tree."""

        spec: Branch
        status: Branch

    Branch.model_rebuild(_types_namespace={"Branch": Branch})
    Tree.model_rebuild(_types_namespace={"Branch": Branch})
    with pytest.raises(ValueError, match="contains itself"):
        structural_schema(Tree)


def test_the_generator_asks_for_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
