"""Annotations for fields that the API server treats specially, used inside `Annotated[...]`.

They write the `x-kubernetes-*` extensions into the generated schema and hold the same constraint in Python.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from pointsman.api.record import camel_case

DUPLICATE_ITEM = "duplicate_item"


def _refuse_duplicates(keys: Sequence[Hashable], what: str) -> None:
    seen: set[Hashable] = set()
    for index, key in enumerate(keys):
        if key in seen:
            raise PydanticCustomError(DUPLICATE_ITEM, "{what} given twice", {"what": what, "index": index})
        seen.add(key)


@dataclass(frozen=True)
class ListMap:
    """A list whose items are told apart by one attribute; server-side apply merges by it."""

    attribute: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def unique(items: Sequence[Any]) -> Sequence[Any]:
            _refuse_duplicates([getattr(item, self.attribute) for item in items], camel_case(self.attribute))
            return items

        return core_schema.no_info_after_validator_function(unique, handler(source))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        keys = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [camel_case(self.attribute)]}
        return {**handler(core), **keys}


@dataclass(frozen=True)
class DistinctPairs:
    """A list that is replaced as a whole, and no two items of which agree in these attributes. An item may
    leave them out, as it may not with the key of a ListMap.
    """

    attributes: tuple[str, str]

    @property
    def _what(self) -> str:
        return f"pair of {' and '.join(map(camel_case, self.attributes))}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def unique(items: Sequence[Any]) -> Sequence[Any]:
            keys = [tuple(getattr(item, name) for name in self.attributes) for item in items]
            _refuse_duplicates(keys, self._what)
            return items

        return core_schema.no_info_after_validator_function(unique, handler(source))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        same = " && ".join(
            f"has(other.{name}) == has(item.{name}) && (!has(item.{name}) || other.{name} == item.{name})"
            for name in map(camel_case, self.attributes)
        )
        rule = {
            "rule": f"self.all(item, self.exists_one(other, {same}))",
            "message": f"the {self._what} of an item was given before; remove or rename it",
        }
        return {**handler(core), "x-kubernetes-list-type": "atomic", "x-kubernetes-validations": [rule]}


@dataclass(frozen=True)
class ListSet:
    """A list of scalars without duplicates; server-side apply merges it.

    Not so with `has_default`: what the API server fills in belongs to nobody, so that a list that is written
    later would be merged with the default, and never be what was written. Then it is replaced as a whole.
    """

    has_default: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def unique(items: Sequence[Any]) -> Sequence[Any]:
            _refuse_duplicates(items, "value")
            return items

        return core_schema.no_info_after_validator_function(unique, handler(source))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        if not self.has_default:
            return {**handler(core), "x-kubernetes-list-type": "set"}
        rule = {
            "rule": "self.all(item, self.exists_one(other, other == item))",
            "message": "the value of an item was given before; remove or rename it",
        }
        return {**handler(core), "x-kubernetes-list-type": "atomic", "x-kubernetes-validations": [rule]}


@dataclass(frozen=True)
class Opaque:
    """A part of another API that is passed on as it stands (an affinity, a volume): kept, not read."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`; `wide` columns appear with `-o wide` only."""

    name: str
    json_path: str
    type: str = "string"
    wide: bool = False


@dataclass(frozen=True)
class Scale:
    """The scale subresource, so that `kubectl scale`, HPA and KEDA work."""

    spec_replicas_path: str
    status_replicas_path: str
    label_selector_path: str
