"""JSON out of objects and back, where there is much of it: a quarter of the operator's work was this."""

from collections.abc import Mapping
from typing import Any

import orjson


def dumped(value: Any, *, is_sorted: bool = False, is_exact: bool = False) -> bytes:
    """The value as JSON without blanks, the same bytes for the same value where `is_sorted`. TypeError for an
    integer that other readers take for another one, where `is_exact`.
    """
    option = (orjson.OPT_SORT_KEYS if is_sorted else 0) | (orjson.OPT_STRICT_INTEGER if is_exact else 0)
    return orjson.dumps(value, default=_as_dict, option=option)


def loaded(text: bytes | str) -> Any:
    """Raises ValueError for what is no JSON."""
    return orjson.loads(text)


def _as_dict(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
