"""What every part of the API is made of: an immutable record whose YAML keys are camelCase.

`Record` also carries the rules that hold between fields. Each rule is stated once, as CEL for the API server
and as a Python predicate beside it, so that a file is refused with the same words with and without a cluster.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

# Keys that are not plain camelCase: Kubernetes writes initialisms in capitals (baseURL, jwksURI).
_SPELLINGS = {"base_url": "baseURL", "jwks_uri": "jwksURI"}

RULES_BROKEN = "rules_broken"


def camel_case(attribute: str) -> str:
    """The YAML key of an attribute: `context_length` -> `contextLength`, `for_` -> `for`."""
    if attribute in _SPELLINGS:
        return _SPELLINGS[attribute]
    head, *rest = attribute.rstrip("_").split("_")
    return head + "".join(word.capitalize() for word in rest)


@dataclass(frozen=True)
class Rule:
    """A constraint between the fields of one record.

    `cel` is what the API server evaluates, `holds` the same in Python on the validated record. `field` is the
    YAML path (below the record) of the field that a person should look at, "" for the record itself.
    """

    cel: str
    holds: Callable[[Any], bool]
    what: str
    todo: str
    field: str = ""

    @property
    def message(self) -> str:
        return f"{self.what}; {self.todo}"

    def to_schema(self) -> dict[str, str]:
        """An entry of `x-kubernetes-validations`; a field of metadata cannot be pointed at."""
        at = f".{self.field}" if self.field and not self.field.startswith("metadata") else ""
        return {"rule": self.cel, "message": self.message, **({"fieldPath": at} if at else {})}


class Record(BaseModel):
    """An immutable part of an object; unknown keys are refused unless a reader asks for `extra="ignore"`."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=camel_case,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        hide_input_in_errors=True,  # an input may be a secret
        use_attribute_docstrings=True,
    )

    constraints: ClassVar[tuple[Rule, ...]] = ()
    atomic: ClassVar[bool] = False
    """Whether server-side apply replaces this record as a whole."""

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        broken = [rule for rule in type(self).constraints if not rule.holds(self)]
        if broken:
            raise PydanticCustomError(
                RULES_BROKEN, "{text}", {"text": "; ".join(rule.message for rule in broken), "broken": broken}
            )
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        reference = handler(core)
        schema = handler.resolve_ref_schema(reference)
        if cls.constraints:
            schema["x-kubernetes-validations"] = [rule.to_schema() for rule in cls.constraints]
        if cls.atomic:
            schema["x-kubernetes-map-type"] = "atomic"
        return reference

    def states(self, attribute: str) -> bool:
        """Whether the file gave this field, as `has(self.field)` in CEL (a default is not given)."""
        return attribute in self.model_fields_set and getattr(self, attribute) is not None

    def to_document(self) -> dict[str, Any]:
        """What a file would say: camelCase keys, JSON values, only what was set."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
