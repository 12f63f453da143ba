"""Values of parameters: read from a policy, checked, and written into expressions as CEL literals.

Inlined and not given by `paramKind`: a policy whose parameters are an object of a CRD refuses everything
while that kind is not served.
"""

import re
from collections.abc import Iterator, Mapping

import orjson

from pointsman.errors import PointsmanError
from pointsman.policy.source import Parameter, ParameterType

Value = str | int | bool | tuple[str, ...]

# A string in any of CEL's quotings, or a parameter outside of one.
_TOKENS = re.compile(
    r"""(?P<string>[rR]?(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))"""
    r"""|(?<![\w.])params\.(?P<name>[A-Za-z]\w*)""",
    re.DOTALL,
)


def bound(
    parameters: Mapping[str, Parameter], stated: Mapping[str, object], where: str
) -> tuple[dict[str, Value], list[PointsmanError]]:
    """Every parameter's value, the default where none is stated, and what is wrong with those stated."""
    values: dict[str, Value] = {name: one.default for name, one in parameters.items()}
    problems: list[PointsmanError] = []
    for name, given in stated.items():
        place = f"{where}.parameters.{name}"
        parameter = parameters.get(name)
        if parameter is None:
            known = ", ".join(sorted(parameters)) or "none"
            problems.append(
                PointsmanError("is no parameter of this pack", where=place, todo=f"it has {known}")
            )
            continue
        try:
            values[name] = read(parameter, given)
        except ValueError as error:
            problems.append(PointsmanError(str(error), where=place, todo=parameter.description))
    return values, problems


def read(parameter: Parameter, given: object) -> Value:
    """A value as a person writes it. ValueError says what it must be."""
    text = str(given).strip()
    match parameter.type:
        case ParameterType.BOOLEAN:
            if text not in ("true", "false"):
                raise ValueError('must be "true" or "false"')
            return text == "true"
        case ParameterType.INTEGER:
            return _integer(parameter, text)
        case ParameterType.LIST:
            items = tuple(item.strip() for item in text.split(",") if item.strip())
            for item in items:
                _matched(parameter, item)
            return items
        case ParameterType.TEXT:
            return _matched(parameter, text)


def _integer(parameter: Parameter, text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,15}", text):
        raise ValueError("must be a whole number")
    number = int(text)
    if parameter.minimum is not None and number < parameter.minimum:
        raise ValueError(f"must be at least {parameter.minimum}")
    if parameter.maximum is not None and number > parameter.maximum:
        raise ValueError(f"must be at most {parameter.maximum}")
    return number


def _matched(parameter: Parameter, text: str) -> str:
    if parameter.pattern and re.fullmatch(parameter.pattern, text) is None:
        raise ValueError(f"must match {parameter.pattern}")
    return text


def literal(value: Value) -> str:
    """CEL's way to write a value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value >= 0 else f"({value})"
    if isinstance(value, str):
        return orjson.dumps(value).decode()  # JSON's escapes are CEL's
    return f"[{', '.join(literal(item) for item in value)}]"


def inlined(expression: str, values: Mapping[str, Value]) -> str:
    """The expression with each `params.NAME` as a literal. KeyError for one that has no value."""

    def replace(found: re.Match[str]) -> str:
        name = found["name"]
        return found[0] if name is None else literal(values[name])

    return _TOKENS.sub(replace, expression)


def names_in(expression: str) -> Iterator[str]:
    """The parameters that an expression reads."""
    return (found["name"] for found in _TOKENS.finditer(expression) if found["name"])
