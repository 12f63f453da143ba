"""Lists: `[3, 1].min()`, `.isSorted()`; sets: `sets.contains([1, 2], [1])`."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from pointsman.policy.cel.functions.declaring import ANY, BOOL, LIST, function, member, plain


def _is_sorted(items: Sequence[Any]) -> bool:
    return all(one <= other for one, other in pairwise(items))


def _least(items: Sequence[Any]) -> Any:
    if not items:
        raise ValueError("min called on empty list")
    return min(items)


def _most(items: Sequence[Any]) -> Any:
    if not items:
        raise ValueError("max called on empty list")
    return max(items)


def _contains(items: Sequence[Any], wanted: Sequence[Any]) -> bool:
    return all(one in items for one in wanted)


FUNCTIONS = (
    function("isSorted", member("list_is_sorted", BOOL, [LIST], _is_sorted)),
    function("sum", member("list_sum", ANY, [LIST], sum)),
    function("min", member("list_min", ANY, [LIST], _least)),
    function("max", member("list_max", ANY, [LIST], _most)),
    function("sets.contains", plain("sets_contains", BOOL, [LIST, LIST], _contains)),
    function(
        "sets.equivalent",
        plain("sets_equivalent", BOOL, [LIST, LIST], lambda a, b: _contains(a, b) and _contains(b, a)),
    ),
    function(
        "sets.intersects",
        plain("sets_intersects", BOOL, [LIST, LIST], lambda a, b: any(one in a for one in b)),
    ),
)
