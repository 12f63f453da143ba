"""An OpenAPI schema as protobuf messages, so that CEL's own checker knows which fields there are.

The API server does not check the fields of custom resources in admission policies: a misspelt one would be an
error at each request. Values are never held in these messages; they are for the checker alone.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from google.protobuf import descriptor_pb2, struct_pb2
from google.protobuf.descriptor_pool import DescriptorPool

Schema = Mapping[str, Any]

_STRUCT = "google/protobuf/struct.proto"
_ANY = ".google.protobuf.Value"
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _Field.TYPE_STRING,
    "integer": _Field.TYPE_INT64,
    "number": _Field.TYPE_DOUBLE,
    "boolean": _Field.TYPE_BOOL,
}


def pool_of(packages: Mapping[str, Mapping[str, Schema]]) -> DescriptorPool:
    """A pool with a message for each schema, called `PACKAGE.NAME`."""
    pool = DescriptorPool()
    struct = descriptor_pb2.FileDescriptorProto()
    struct_pb2.DESCRIPTOR.CopyToProto(struct)
    pool.AddSerializedFile(struct.SerializeToString())
    for package, schemas in packages.items():
        file = descriptor_pb2.FileDescriptorProto(
            name=f"{package}.proto", package=package, syntax="proto3", dependency=[_STRUCT]
        )
        messages = _Messages(file)
        for name, schema in schemas.items():
            messages.add(name, schema)
        pool.AddSerializedFile(file.SerializeToString())
    return pool


class _Messages:
    """Messages of one file. Parts that look alike share one, so that lists of them can be added."""

    def __init__(self, file: descriptor_pb2.FileDescriptorProto) -> None:
        self._file = file
        self._names: dict[bytes, str] = {}

    def add(self, name: str, schema: Schema) -> str:
        """The full name of the message; `name` is where the part stands first, with _ between the steps."""
        shape = orjson.dumps(schema["properties"], option=orjson.OPT_SORT_KEYS)
        if shape in self._names:
            return self._names[shape]
        self._names[shape] = full = f".{self._file.package}.{name}"
        message = self._file.message_type.add(name=name)
        for number, (key, child) in enumerate(sorted(schema["properties"].items()), start=1):
            if key.isidentifier():
                self._field(message, name, message.field.add(name=key, number=number), child)
        return full

    def _field(
        self,
        message: descriptor_pb2.DescriptorProto,
        path: str,
        field: descriptor_pb2.FieldDescriptorProto,
        schema: Schema,
    ) -> None:
        field.label = _Field.LABEL_OPTIONAL
        if schema.get("type") == "array":
            field.label = _Field.LABEL_REPEATED
            schema = schema["items"]
            self._value(field, f"{path}_{field.name}", {} if _is_map(schema) else schema)
        elif _is_map(schema):
            field.label = _Field.LABEL_REPEATED
            entry = message.nested_type.add(name=_entry(field.name))
            entry.options.map_entry = True
            entry.field.add(name="key", number=1, label=_Field.LABEL_OPTIONAL, type=_Field.TYPE_STRING)
            value = entry.field.add(name="value", number=2, label=_Field.LABEL_OPTIONAL)
            values = schema["additionalProperties"]
            self._value(value, f"{path}_{field.name}", values if isinstance(values, Mapping) else {})
            field.type, field.type_name = (
                _Field.TYPE_MESSAGE,
                f".{self._file.package}.{message.name}.{entry.name}",
            )
        else:
            self._value(field, f"{path}_{field.name}", schema)
            if field.type != _Field.TYPE_MESSAGE:
                # With presence: has() asks whether it is stated.
                field.proto3_optional = True
                field.oneof_index = len(message.oneof_decl)
                message.oneof_decl.add(name=f"_{field.name}")

    def _value(self, field: descriptor_pb2.FieldDescriptorProto, path: str, schema: Schema) -> None:
        kind = schema.get("type")
        if kind in _SCALARS and not _is_open(schema):
            field.type = _SCALARS[kind]
        elif kind == "object" and schema.get("properties") and not _is_open(schema):
            field.type, field.type_name = _Field.TYPE_MESSAGE, self.add(path, schema)
        else:
            field.type, field.type_name = _Field.TYPE_MESSAGE, _ANY


def _is_map(schema: Schema) -> bool:
    return (
        schema.get("type") == "object" and "additionalProperties" in schema and not schema.get("properties")
    )


def _is_open(schema: Schema) -> bool:
    return bool(
        schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    )


def _entry(name: str) -> str:
    """Protobuf's own name of a map's entry: only that is taken for a map."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_")) + "Entry"
