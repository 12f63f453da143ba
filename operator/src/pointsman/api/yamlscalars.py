"""What a plain YAML scalar means to kubectl (sigs.k8s.io/yaml over its fork of go-yaml v2), as a JSON value.

That is neither YAML 1.1 nor 1.2: `on`, `yes` and `y` are booleans, `0777` and `0o777` are octal,
`1_000` and `1e9` are numbers, base 60 is not, timestamps stay text. A test compares with the original.
"""

import base64
import binascii
import math
import re
from decimal import Decimal

JsonScalar = str | int | float | bool | None

_PREFIX = "tag:yaml.org,2002:"
_STRING, _BINARY, _TIMESTAMP = _PREFIX + "str", _PREFIX + "binary", _PREFIX + "timestamp"
_INTEGER, _FLOAT, _BOOLEAN, _NULL = _PREFIX + "int", _PREFIX + "float", _PREFIX + "bool", _PREFIX + "null"
# Any other tag leaves the text as it is, as in the original.
_RESOLVABLE = frozenset({_STRING, _BOOLEAN, _INTEGER, _FLOAT, _NULL, _TIMESTAMP})


def _spellings(*words: str) -> frozenset[str]:
    return frozenset(spelling for word in words for spelling in (word, word.capitalize(), word.upper()))


_TRUE = _spellings("y", "yes", "true", "on")
_FALSE = _spellings("n", "no", "false", "off")
_NULLS = _spellings("null") | {"", "~"}
_INFINITE = {sign + spelling for spelling in (".inf", ".Inf", ".INF") for sign in ("", "+", "-")}
_NOT_A_NUMBER = {".nan", ".NaN", ".NAN"}

_WHOLE = re.compile(r"([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]*|[1-9][0-9]*)", re.ASCII)
_LONGEST_WHOLE = 66  # 0b and 64 digits
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
# Go's own reading of a number, which applies only here: an underscore stands between digits.
_POINT_FIRST = re.compile(r"\.[0-9]+(_[0-9]+)*([eE][-+]?[0-9]+(_[0-9]+)*)?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9:.]+(Z|[-+][0-9]{2}:[0-9]{2})?)?", re.ASCII)


class NotJson(ValueError):
    """A scalar that kubectl refuses; the text says what it is and what to do, without the value."""

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(what, todo)
        self.what = what
        self.todo = todo


def read_scalar(text: str, *, tag: str | None, plain: bool) -> JsonScalar:
    """The JSON value of a scalar with this explicit tag, if any; `plain`: neither quoted nor block.

    Raises NotJson for what has no JSON value or does not fit its tag.
    """
    if tag is None and not plain:
        return text
    if tag == _BINARY:
        return _decode(text)
    if tag == _STRING or (tag is not None and tag not in _RESOLVABLE):
        return text
    meaning, value = _resolve(text)
    if tag is not None and tag != meaning:
        if tag == _FLOAT and meaning == _INTEGER:
            return value
        if tag == _TIMESTAMP and _DATE.fullmatch(text):
            return text
        raise NotJson(
            f"does not fit its tag !!{tag.removeprefix(_PREFIX)}", "remove the tag or correct the value"
        )
    return value


def read_key(text: str, *, tag: str | None, plain: bool) -> str:
    """The JSON key of a mapping's key: text, whole numbers and booleans (`on` is "true"). Raises NotJson."""
    value = read_scalar(text, tag=tag, plain=plain)
    if isinstance(value, bool):
        return "true" if value else "false"
    # Floats become keys in a spelling of Go's own (1e6 is "1e+06"); whoever means text writes quotes.
    if not isinstance(value, str | int) or (isinstance(value, int) and not _fits_a_key(text, value)):
        raise NotJson("this key is no text", "put the key in quotes")
    return str(value)


def _fits_a_key(text: str, number: int) -> bool:
    return -(2**63) <= number < 2**63 and _resolve(text)[0] == _INTEGER


def _resolve(text: str) -> tuple[str, JsonScalar]:
    if text in _NULLS:
        return _NULL, None
    if text in _TRUE:
        return _BOOLEAN, True
    if text in _FALSE:
        return _BOOLEAN, False
    if text in _INFINITE or text in _NOT_A_NUMBER:
        raise NotJson(
            "infinity and not-a-number have no place in JSON", "write a number, or put it in quotes"
        )
    if text[0] == ".":
        return _decimal(text.replace("_", "")) if _POINT_FIRST.fullmatch(text) else (_STRING, text)
    if text[0] in "+-0123456789":
        digits = text.replace("_", "")
        whole = _WHOLE.fullmatch(digits)
        if whole is not None:
            number = _whole(whole[1], whole[2])
            if number is not None:
                return _INTEGER, number
        meaning, value = _decimal(digits)
        if meaning == _FLOAT:
            return meaning, value
    return _STRING, text


def _whole(sign: str, digits: str) -> int | None:
    """A whole number if it fits 64 bits as Go reads it: signed, or unsigned without a sign."""
    if len(digits) > _LONGEST_WHOLE:
        return None
    octal_of_old = digits[0] == "0" and digits.isdigit()
    number = int(digits, 8) if octal_of_old else int(digits, 0)
    number = -number if sign == "-" else number
    if -(2**63) <= number < 2**63 or (not sign and number < 2**64):
        return number
    return None


def _decimal(text: str) -> tuple[str, JsonScalar]:
    if not _DECIMAL.fullmatch(text):
        return _STRING, text
    number = float(text)
    if math.isinf(number):  # Go refuses what is out of range and leaves the text
        return _STRING, text
    # Go writes such a float to JSON without a fraction, and the API server reads a whole number from that.
    if number.is_integer() and abs(number) < 1e21:
        return _FLOAT, int(Decimal(repr(number)))
    return _FLOAT, number


def _decode(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        raise NotJson(
            "is no base64 of a UTF-8 text, as its tag !!binary says", "correct or remove the tag"
        ) from None
