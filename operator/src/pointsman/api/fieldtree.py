"""Which fields there are, by name: for a word about a field that is misspelled or in the wrong place."""

import types
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from pointsman.api.nodes import Path
from pointsman.api.record import Record


def field_names(record: type[Record]) -> tuple[str, ...]:
    """The YAML keys of a record, in the order of the documentation."""
    return tuple(field.alias or name for name, field in record.model_fields.items())


def record_at(root: type[Record], path: Path) -> type[Record] | None:
    """The record that describes what stands at this path; None where it is no record."""
    current: Any = root
    for step in path:
        if isinstance(current, type) and issubclass(current, Record):
            field = next((f for n, f in current.model_fields.items() if (f.alias or n) == step), None)
            if field is None:
                return None
            current = _bare(field.annotation)
        elif get_origin(current) in (tuple, dict):
            arguments = get_args(current)
            current = _bare(arguments[1] if get_origin(current) is dict else arguments[0])
        else:
            return None
    return current if isinstance(current, type) and issubclass(current, Record) else None


@cache
def places_of(root: type[Record], key: str) -> tuple[str, ...]:
    """Where in the tree below `root` a field of this name belongs, as dotted paths; status is left out."""
    return tuple(
        ".".join((*above, key)) for above, record in _records(root, ()) if key in field_names(record)
    )


def _records(record: type[Record], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], type[Record]]]:
    yield above, record
    for name, field in record.model_fields.items():
        key = field.alias or name
        if above == () and key in ("status", "metadata"):
            continue
        inner = _bare(field.annotation)
        suffix = ""
        if get_origin(inner) is tuple:
            inner, suffix = _bare(get_args(inner)[0]), "[]"
        if isinstance(inner, type) and issubclass(inner, Record):
            yield from _records(inner, (*above, key + suffix))


def _bare(annotation: Any) -> Any:
    """The annotation without Annotated and without the None of an optional field."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, types.UnionType):
            stated = [argument for argument in get_args(annotation) if argument is not type(None)]
            if len(stated) != 1:
                return annotation
            annotation = stated[0]
        else:
            return annotation
