"""Kubernetes' resource quantities: `quantity('1.5Gi')`."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pointsman.api.scalars import Quantity
from pointsman.policy.cel.functions.declaring import (
    BOOL,
    DOUBLE,
    INT,
    MAP,
    TEXT,
    function,
    member,
    plain,
)

QUANTITY = "quantity"
_LARGEST = 2**63 - 1


def amount(quantity: Mapping[str, Any]) -> Decimal:
    """The number that it stands for."""
    return Decimal(str(quantity[QUANTITY]))


def _decimal(text: str) -> Decimal:
    unsigned = text.removeprefix("-") if text.startswith("-") else text.removeprefix("+")
    number = Quantity(unsigned).decimal
    return -number if text.startswith("-") else number


def _read(text: str) -> dict[str, str]:
    return _made(_decimal(text))


def _made(number: Decimal) -> dict[str, str]:
    return {QUANTITY: str(number)}


def _is(text: str) -> bool:
    try:
        _decimal(text)
    except ValueError:
        return False
    return True


def _is_whole(quantity: Mapping[str, Any]) -> bool:
    number = amount(quantity)
    return number == number.to_integral_value() and abs(number) <= _LARGEST


def _whole(quantity: Mapping[str, Any]) -> int:
    if not _is_whole(quantity):
        raise ValueError("cannot convert value to integer")
    return int(amount(quantity))


def _sign(quantity: Mapping[str, Any]) -> int:
    number = amount(quantity)
    return (number > 0) - (number < 0)


FUNCTIONS = (
    function("quantity", plain("string_to_quantity", MAP, [TEXT], _read)),
    function("isQuantity", plain("is_quantity_string", BOOL, [TEXT], _is)),
    function("isInteger", member("quantity_is_integer", BOOL, [MAP], _is_whole)),
    function("asInteger", member("quantity_as_integer", INT, [MAP], _whole)),
    function(
        "asApproximateFloat",
        member("quantity_as_float", DOUBLE, [MAP], lambda quantity: float(amount(quantity))),
    ),
    function("sign", plain("quantity_sign", INT, [MAP], _sign)),
    function(
        "add",
        member("quantity_add", MAP, [MAP, MAP], lambda a, b: _made(amount(a) + amount(b))),
        member("quantity_add_int", MAP, [MAP, INT], lambda a, number: _made(amount(a) + number)),
    ),
    function(
        "sub",
        member("quantity_sub", MAP, [MAP, MAP], lambda a, b: _made(amount(a) - amount(b))),
        member("quantity_sub_int", MAP, [MAP, INT], lambda a, number: _made(amount(a) - number)),
    ),
)
