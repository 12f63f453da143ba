"""pydantic's JSON schema -> a structural schema as the API server wants it.

References are written out; null branches and additionalProperties beside properties dropped; every list has
its type. Bounds, CEL rules and defaults are kept, but for two places:

- What a status holds is never defaulted.
- The items of lists are not: a tool that holds a cluster to a repository compares a list as a whole, so what
  the API server fills in there would be a difference for ever. The models apply such a default, and the
  description says it.
"""

from typing import Any

from pointsman.api.names import LOOKS_LIKE
from pointsman.api.resource import Resource

Schema = dict[str, Any]

# What pydantic says and OpenAPI v3.0 as the API server reads it does not know, or may not hold.
_DROPPED = frozenset({"title", "examples", "discriminator", "propertyNames", "$defs"})
_LARGEST_INT32 = 2**31 - 1


def structural_schema(kind: type[Resource]) -> Schema:
    """The openAPIV3Schema of a kind. Raises ValueError for what no structural schema can say."""
    generated = kind.model_json_schema(mode="validation", by_alias=True)
    definitions = generated.get("$defs", {})
    properties = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": _with_defaults_of_items_in_words(
            written_out(generated["properties"]["spec"], definitions, ())
        ),
        "status": _without_defaults(written_out(generated["properties"]["status"], definitions, ())),
    }
    schema: Schema = {"description": generated["description"], "type": "object", "required": ["spec"]}
    return {
        **schema,
        "properties": properties,
        "x-kubernetes-validations": generated["x-kubernetes-validations"],
    }


def written_out(node: Schema, definitions: Schema, above: tuple[str, ...] = ()) -> Schema:
    """A node without references. Raises ValueError for what no structural schema can say."""
    node = dict(node)
    if "$ref" in node:
        name = node.pop("$ref").rsplit("/", 1)[-1]
        if name in above:
            raise ValueError(f"{name} contains itself, which no structural schema can say")
        return written_out({**definitions[name], **node}, definitions, (*above, name))
    if "anyOf" in node:
        stated = [branch for branch in node.pop("anyOf") if branch != {"type": "null"}]
        if len(stated) != 1:
            raise ValueError(f"a union of {len(stated)} types is not structural: {stated}")
        return written_out({**stated[0], **node}, definitions, above)
    for unsayable in ("allOf", "oneOf", "const", "prefixItems", "exclusiveMinimum", "exclusiveMaximum"):
        if unsayable in node:
            raise ValueError(f"{unsayable} is not structural")
    return _ordered(_cleaned(node, definitions, above))


def _cleaned(node: Schema, definitions: Schema, above: tuple[str, ...]) -> Schema:
    kept = {key: value for key, value in node.items() if key not in _DROPPED}
    if "properties" in kept:
        kept.pop("additionalProperties", None)
        kept["properties"] = {
            name: written_out(value, definitions, above) for name, value in kept["properties"].items()
        }
    elif "patternProperties" in kept:
        ((pattern, values),) = kept.pop("patternProperties").items()
        kept["additionalProperties"] = written_out(values, definitions, above)
        kept["x-kubernetes-validations"] = [_key_rule(pattern)]
    elif isinstance(kept.get("additionalProperties"), dict):
        kept["additionalProperties"] = written_out(kept["additionalProperties"], definitions, above)
    if kept.get("type") == "array":
        kept["items"] = written_out(kept["items"], definitions, above)
        kept.setdefault("x-kubernetes-list-type", "atomic")
    if kept.get("type") == "integer":
        kept["format"] = "int32" if kept.get("maximum", _LARGEST_INT32 + 1) <= _LARGEST_INT32 else "int64"
    if "description" in kept:
        kept["description"] = " ".join(kept["description"].split())
    # An absent text or list says the same as an empty one; an empty object is there to be filled.
    if kept.get("default", "") in ("", [], None):
        kept.pop("default", None)
    return kept


def _key_rule(pattern: str) -> dict[str, str]:
    quoted = pattern.replace("\\", "\\\\").replace("'", "\\'")
    return {
        "rule": f"self.all(key, key.matches('{quoted}'))",
        "message": f"each key must be {LOOKS_LIKE[pattern]}",
    }


_ORDER = ("description", "type", "format", "enum", "default", "required", "properties")


def _ordered(node: Schema) -> Schema:
    first = {key: node[key] for key in _ORDER if key in node}
    return {**first, **{key: node[key] for key in sorted(node.keys() - first.keys())}}


def _with_defaults_of_items_in_words(node: Schema, *, in_list: bool = False) -> Schema:
    node = dict(node)
    if in_list and "default" in node:
        default = node.pop("default")
        said = ", ".join(default) if isinstance(default, list) else default
        node["description"] = f"{node.get('description', '')} Default: {said}.".lstrip()
    if "properties" in node:
        node["properties"] = {
            name: _with_defaults_of_items_in_words(below, in_list=in_list)
            for name, below in node["properties"].items()
        }
    if "items" in node:
        node["items"] = _with_defaults_of_items_in_words(node["items"], in_list=True)
    return _ordered(node)


def _without_defaults(node: Any) -> Any:
    """What the status says is what was observed, so nothing is filled in."""
    if isinstance(node, dict):
        return {key: _without_defaults(value) for key, value in node.items() if key != "default"}
    if isinstance(node, list):
        return [_without_defaults(item) for item in node]
    return node
