"""The fleet settings in the schema of the chart's values: a slip is refused before anything is installed.

What holds between fields, and what a schema of values cannot say, is checked where the file is read.
"""

import json
from typing import Any

from pointsman.api.crd.structural import Schema, written_out
from pointsman.api.fleet import FleetSettings

_KUBERNETES = "x-kubernetes-"
# Helm installs nothing by defaults of a schema, and formats of numbers are OpenAPI's.
_DROPPED = frozenset({"default", "format"})


def fleet_schema() -> Schema:
    """JSON schema (draft 7) of the fleet settings; an unknown key is refused at every level."""
    generated = FleetSettings.model_json_schema(mode="validation", by_alias=True)
    definitions: Schema = generated.pop("$defs")
    schema: Schema = _closed(written_out(generated, definitions))
    return schema


def with_fleet(text: str) -> str:
    """The schema of the chart's values, with that of `fleet` as the models have it."""
    schema = json.loads(text)
    schema["properties"]["fleet"] = fleet_schema()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept = {
        key: _closed_properties(value) if key == "properties" else _closed(value)
        for key, value in node.items()
        if not key.startswith(_KUBERNETES) and key not in _DROPPED
    }
    if "properties" in kept:
        kept["additionalProperties"] = False
    return kept


def _closed_properties(properties: Schema) -> Schema:
    """Their names are the fields', whatever they are called."""
    return {name: _closed(value) for name, value in properties.items()}
