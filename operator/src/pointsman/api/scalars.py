"""Scalars that keep the user's own text and know what it means: durations, money, shares, quantities."""

import re
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MALFORMED = "malformed_scalar"
UNQUOTED_FRACTION = "unquoted_fraction"

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

_ABOVE_ZERO = ("double(self) > 0.0",)

# Kubernetes' resource.Quantity: decimal and binary suffixes, and decimal exponents.
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


class Scalar(str):
    """A string with a pattern; subclasses say what it means. ValueError when it does not fit."""

    pattern: ClassVar[str]
    longest: ClassVar[int]
    looks_like: ClassVar[str]
    """What a valid value is, with an example, to finish the sentence "must be …"."""
    cel: ClassVar[tuple[str, ...]] = ()
    """What holds beyond the pattern, as CEL over `self`; `_check` says the same."""

    def __new__(cls, text: str) -> Self:
        if len(text) > cls.longest or re.fullmatch(cls.pattern, text, re.ASCII) is None:
            raise ValueError(f"must be {cls.looks_like}")
        value = super().__new__(cls, text)
        if not value._check():
            raise ValueError(f"must be {cls.looks_like}")
        return value

    def _check(self) -> bool:
        return True

    @classmethod
    def _read(cls, text: str) -> Self:
        try:
            return cls(text)
        except ValueError:
            raise PydanticCustomError(
                MALFORMED, "must be {looks_like}", {"looks_like": cls.looks_like}
            ) from None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls._read, core_schema.str_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema: JsonSchemaValue = {
            "type": "string",
            "maxLength": cls.longest,
            "pattern": f"^({cls.pattern})$",
        }
        if cls.cel:
            schema["x-kubernetes-validations"] = [
                {"rule": rule, "message": f"must be {cls.looks_like}"} for rule in cls.cel
            ]
        return schema


class Duration(Scalar):
    """A Go duration without sign: `30s`, `1h30m`, `800ms`; at most a year."""

    pattern = r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+"
    longest = 32
    looks_like = 'a duration of at most a year, such as "30s", "800ms" or "1h30m"'
    cel: ClassVar[tuple[str, ...]] = ("duration(self) <= duration('8760h')",)

    @cached_property
    def seconds(self) -> float:
        parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)", self)
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)

    def _check(self) -> bool:
        return self.seconds <= 8760 * 3600


class PositiveDuration(Duration):
    """A duration above zero, where zero would mean "never" or "at once" to some reader."""

    looks_like = 'a duration above zero and of at most a year, such as "30s", "800ms" or "1h30m"'
    cel = (*Duration.cel, "duration(self) > duration('0s')")

    def _check(self) -> bool:
        return super()._check() and self.seconds > 0


class Money(Scalar):
    """An amount in the fleet's currency; text, because binary fractions are no money."""

    pattern = r"[0-9]{1,12}(\.[0-9]{1,9})?"
    longest = 22
    looks_like = 'an amount in quotes, such as "0.25"'

    @cached_property
    def decimal(self) -> Decimal:
        return Decimal(self)


class Share(Scalar):
    """A share from 0 to 1, such as "0.99"."""

    pattern = r"0(\.[0-9]{1,9})?|1(\.0{1,9})?"
    longest = 11
    looks_like = 'a share from 0 to 1 in quotes, such as "0.99"'

    @cached_property
    def decimal(self) -> Decimal:
        return Decimal(self)


class PositiveMoney(Money):
    """An amount above zero, where nothing could be had for zero."""

    looks_like = 'an amount above zero in quotes, such as "40"'
    cel: ClassVar[tuple[str, ...]] = _ABOVE_ZERO

    def _check(self) -> bool:
        return self.decimal > 0


class PositiveShare(Share):
    """A share above 0, where 0 would ask for nothing."""

    looks_like = 'a share above 0 and up to 1 in quotes, such as "0.99"'
    cel: ClassVar[tuple[str, ...]] = _ABOVE_ZERO

    def _check(self) -> bool:
        return self.decimal > 0


class Quantity(Scalar):
    """A Kubernetes quantity: `8Gi`, `500m`, `4`."""

    pattern = r"[0-9]{1,18}(\.[0-9]{1,9})?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e[0-9]{1,2}|E[0-9]{1,2})?"
    longest = 32
    looks_like = 'a quantity, such as "8Gi", "500m" or "4"'

    @cached_property
    def decimal(self) -> Decimal:
        number = re.split("[A-Za-z]", self, maxsplit=1)[0]
        suffix = self[len(number) :]
        if suffix in _BINARY:
            return Decimal(number) * Decimal(2) ** _BINARY[suffix]
        exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
        return Decimal(number).scaleb(exponent)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._read_either, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def _read_either(cls, value: object) -> Self:
        if isinstance(value, float):
            raise PydanticCustomError(UNQUOTED_FRACTION, "must be text or a whole number, not a fraction")
        whole = isinstance(value, int) and not isinstance(value, bool)
        return cls._read(str(value) if whole or isinstance(value, str) else "")

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "x-kubernetes-int-or-string": True,
            "maxLength": cls.longest,
            "pattern": f"^({cls.pattern})$",
            "minimum": 0,  # of a number, which the pattern is not asked about
        }


class ParameterCount(Scalar):
    """How many parameters a model has: `270M`, `32.8B`, `1.1T`."""

    pattern = r"[0-9]{1,6}(\.[0-9]{1,6})?[MBT]"
    longest = 16
    looks_like = 'a number of parameters, such as "270M" or "32.8B"'

    @cached_property
    def number(self) -> int:
        return int(Decimal(self[:-1]).scaleb({"M": 6, "B": 9, "T": 12}[self[-1]]))


class Timestamp(Scalar):
    """An RFC 3339 instant: `2027-01-31T00:00:00Z`."""

    pattern = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
    longest = 40
    looks_like = 'an instant with its zone, such as "2027-01-31T00:00:00Z"'
    cel = ("timestamp(self) >= timestamp('1970-01-01T00:00:00Z')",)

    @cached_property
    def instant(self) -> datetime:
        """The instant, with its zone; finer than microseconds is cut."""
        return datetime.fromisoformat(re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", self).replace("Z", "+00:00"))

    def _check(self) -> bool:
        try:
            return self.instant.timestamp() >= 0
        except ValueError:
            return False


class _WholeOrText:
    """A whole number or a text, told apart by how the file writes it (Kubernetes' int-or-string)."""

    longest = 1024

    @classmethod
    def _read(cls, value: object) -> int | str:
        whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53
        if whole or (isinstance(value, str) and len(value) <= cls.longest):
            return cast(int | str, value)
        looks_like = f"a whole number, or text of at most {cls.longest:,} characters"
        if isinstance(value, list | tuple):
            looks_like = "text with commas between its items"
        raise PydanticCustomError(MALFORMED, "must be {looks_like}", {"looks_like": looks_like})

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"x-kubernetes-int-or-string": True, "maxLength": self.longest}


IntOrText = Annotated[int | str, _WholeOrText()]
