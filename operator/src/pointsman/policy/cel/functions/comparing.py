"""What quantities and versions have in common: an order."""

from collections.abc import Mapping
from typing import Any

from pointsman.policy.cel.functions.declaring import BOOL, INT, MAP, function, member
from pointsman.policy.cel.functions.quantities import QUANTITY, amount
from pointsman.policy.cel.functions.versions import VERSION, precedence


def _compared(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    if QUANTITY in one and QUANTITY in other:
        first, second = amount(one), amount(other)
        return (first > second) - (first < second)
    if VERSION in one and VERSION in other:
        mine, theirs = precedence(one), precedence(other)
        return (mine > theirs) - (mine < theirs)
    raise ValueError("these cannot be compared")


FUNCTIONS = (
    function("compareTo", member("compare_to", INT, [MAP, MAP], _compared)),
    function("isGreaterThan", member("is_greater_than", BOOL, [MAP, MAP], lambda a, b: _compared(a, b) > 0)),
    function("isLessThan", member("is_less_than", BOOL, [MAP, MAP], lambda a, b: _compared(a, b) < 0)),
)
