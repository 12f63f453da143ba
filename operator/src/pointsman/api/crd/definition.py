"""The CustomResourceDefinition of a kind, and its text as a file."""

from typing import Any

from pointsman.api.crd.structural import structural_schema
from pointsman.api.markers import Column
from pointsman.api.meta import GROUP, VERSION
from pointsman.api.resource import Resource
from pointsman.yaml_text import dumped

CATEGORY = "pointsman"
HEADER = (
    "# Generated from operator/src/pointsman/api by `make generate`; edit the models there, not this file.\n"
)


def definition(kind: type[Resource]) -> dict[str, Any]:
    name = kind.__name__
    subresources: dict[str, Any] = {"status": {}}
    if kind.scale is not None:
        subresources["scale"] = {
            "specReplicasPath": kind.scale.spec_replicas_path,
            "statusReplicasPath": kind.scale.status_replicas_path,
            "labelSelectorPath": kind.scale.label_selector_path,
        }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [_column(column) for column in kind.columns],
        "schema": {"openAPIV3Schema": structural_schema(kind)},
        "subresources": subresources,
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "categories": [CATEGORY],
                "kind": name,
                "listKind": f"{name}List",
                "plural": kind.plural,
                "shortNames": [kind.short_name],
                "singular": name.lower(),
            },
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [version],
        },
    }


def file_name(kind: type[Resource]) -> str:
    return f"{GROUP}_{kind.plural}.yaml"


def file_text(kind: type[Resource]) -> str:
    """The definition as YAML, the same bytes each time."""
    return HEADER + dumped([definition(kind)])


def _column(column: Column) -> dict[str, Any]:
    written: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.json_path}
    return {**written, "priority": 1} if column.wide else written
