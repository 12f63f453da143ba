"""Objects as a table, by the columns that their kind has in a cluster too. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from pointsman.api.markers import Column
from pointsman.api.resource import Resource

_STEP = re.compile(r"\.(?P<key>[A-Za-z][A-Za-z0-9]*)|\[\?\(@\.(?P<field>\w+)==\"(?P<value>[^\"]*)\"\)\]")
ABSENT = "-"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def with_defaults(kind: type[Resource], document: Mapping[str, Any]) -> dict[str, Any]:
    """A stored object as a cluster would show it: with the defaults of fields that its file leaves out. One
    that this version cannot read is shown as it is.
    """
    try:
        read = kind.model_validate(document, extra="ignore")
    except ValidationError:
        return dict(document)
    return read.model_dump(mode="json", by_alias=True, exclude_none=True)


def value_at(document: Any, path: str) -> Any:
    """What a printer column's JSON path finds; None if nothing."""
    for step in _STEP.finditer(path):
        if step["key"] is not None:
            document = document.get(step["key"]) if isinstance(document, Mapping) else None
        else:
            items = document if isinstance(document, list) else []
            document = next((item for item in items if item.get(step["field"]) == step["value"]), None)
    return document


def cell(document: Mapping[str, Any], column: Column, now: datetime) -> str:
    value = value_at(document, column.json_path)
    if value is None or value == "" or value == []:
        return ABSENT
    if column.type == "date":
        return age(value, now)
    return ",".join(str(one) for one in value) if isinstance(value, list) else str(value)


def age(timestamp: str, now: datetime) -> str:
    """How long ago, as kubectl says it: 45s, 12m, 3h20m, 12d."""
    try:
        seconds = int((now - datetime.fromisoformat(timestamp)).total_seconds())
    except ValueError:
        return ABSENT
    if seconds < 2 * _MINUTE:
        return f"{max(0, seconds)}s"
    if seconds < 3 * _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR}h"
    return f"{seconds // _DAY}d"


def shown_columns(kind: type[Resource], wide: bool) -> list[Column]:
    return [column for column in kind.columns if wide or not column.wide]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns three blanks apart, as kubectl has them."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return [
        "   ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
