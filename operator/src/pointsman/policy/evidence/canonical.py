"""The one text of a JSON value (RFC 8785), which hashes of evidence are taken of."""

import re
from hashlib import sha256
from typing import Any

import rfc8785

from pointsman.errors import PointsmanError
from pointsman.json_text import dumped

_PAIRED = re.compile(rb"[\xf0-\xf4]")
"""Begins in UTF-8 what is a pair in UTF-16, by which RFC 8785 sorts names."""
_LOOKED_INTO = frozenset({dict, list, float})
_NESTED = frozenset({dict, list})


def canonical(value: Any) -> bytes:
    """The one text of a JSON value. PointsmanError for a value that has none."""
    try:
        return rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:
        raise PointsmanError(
            f"it has no canonical JSON: {error}", todo="write large numbers as texts"
        ) from None


def is_canonical(text: bytes, value: Any) -> bool:
    """Whether that is the one text of `value`, which was read from it. PointsmanError where it has none.

    The text is that of `dumped` but for fractions and for how rare names are sorted; to compare with that is
    ten times as fast, and few entries have either.
    """
    try:
        is_plain = dumped(value, is_sorted=True, is_exact=True) == text
    except TypeError:  # a large number, or too deep
        is_plain = False
    if is_plain and (text.isascii() or not _PAIRED.search(text)) and _has_no_fraction(value):
        return True
    return canonical(value) == text


def digest(value: Any) -> str:
    """The SHA-256 of the value's canonical JSON, in hexadecimal digits."""
    return sha256(canonical(value)).hexdigest()


def _has_no_fraction(value: Any) -> bool:
    """Of an object or array."""
    members = value.values() if type(value) is dict else value
    kinds = set(map(type, members))
    if kinds.isdisjoint(_LOOKED_INTO):
        return True
    return float not in kinds and all(_has_no_fraction(one) for one in members if type(one) in _NESTED)
