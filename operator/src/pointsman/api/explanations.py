"""pydantic's errors in the words of someone who edits YAML: what is wrong, what to do.

Values are never repeated, apart from words that were meant to be one of a few.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pointsman.api.fieldtree import field_names, places_of, record_at
from pointsman.api.markers import DUPLICATE_ITEM
from pointsman.api.misspelling import nearest
from pointsman.api.names import LOOKS_LIKE
from pointsman.api.nodes import Path, path_text
from pointsman.api.record import RULES_BROKEN, Record
from pointsman.api.scalars import MALFORMED, UNQUOTED_FRACTION
from pointsman.api.secret import NOT_BASE64

Words = tuple[str, str]

_MOST_FIELDS_LISTED = 12


def explain(error: ErrorDetails, root: type[Record], path: Path) -> Words:
    """What is wrong and what to do, for an error at `path` of an object of type `root`."""
    if error["type"] == "extra_forbidden":
        return _unknown_field(root, path)
    how = _EXPLANATIONS.get(error["type"])
    if how is not None:
        return how(error["input"], error.get("ctx", {}))
    return f"is not valid ({error['type'].replace('_', ' ')})", "correct it"


def first_mistake(error: ValidationError, root: type[Record]) -> str:
    """The first thing that is wrong with an object of type `root`, in one line: where, what, what to do."""
    details = error.errors(include_url=False)[0]
    path = location(details)
    if details["type"] == RULES_BROKEN:
        rule = details["ctx"]["broken"][0]
        path, words = (*path, *filter(None, rule.field.split("."))), (rule.what, rule.todo)
    else:
        words = explain(details, root, path)
    return f"{path_text(path)}: {'; '.join(filter(None, words))}"


def location(details: ErrorDetails) -> Path:
    """The field of an error; where a key of a mapping is wrong, pydantic adds a step "[key]" behind it."""
    found = details["loc"]
    is_of_a_key = len(found) > 1 and found[-1] == "[key]" and details["type"] != "extra_forbidden"
    return found[:-1] if is_of_a_key else found


def what_it_is(value: Any) -> str:
    """A value's type in the words of a YAML file."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list | tuple) else "a mapping"


def _unknown_field(root: type[Record], path: Path) -> Words:
    key, parent = str(path[-1]), record_at(root, path[:-1])
    known = field_names(parent) if parent is not None else ()
    meant = nearest(key, known)
    if meant is not None:
        return "unknown field", f'did you mean "{meant}"?'
    places = places_of(root, key)
    if len(places) == 1:
        return "unknown field here", f"it belongs at {places[0]}"
    if 0 < len(known) <= _MOST_FIELDS_LISTED:
        return "unknown field", f"remove it; known here: {', '.join(known)}"
    return "unknown field", "remove it"


def _wrong_type(expected: str, todo: str) -> Callable[[Any, Mapping[str, Any]], Words]:
    return lambda value, _: (f"must be {expected}, not {what_it_is(value)}", todo)


def _text(value: Any, _: Mapping[str, Any]) -> Words:
    is_scalar = isinstance(value, bool | int | float)
    return f"must be text, not {what_it_is(value)}", "put it in quotes" if is_scalar else "write text"


def _whole_number(value: Any, _: Mapping[str, Any]) -> Words:
    if isinstance(value, str) and value.strip().lstrip("-").isdigit():
        return "must be a whole number, not text", "remove the quotes"
    if isinstance(value, float):
        return "must be a whole number, not a fraction", "round it"
    return f"must be a whole number, not {what_it_is(value)}", "write a number"


def _choice(value: Any, context: Mapping[str, Any]) -> Words:
    choices = str(context.get("expected", "")).replace(" or ", ", ").replace("'", "")
    words = choices.split(", ")
    if not isinstance(value, str):
        return f"must be one of {choices}, not {what_it_is(value)}", "choose one"
    meant = nearest(value, words)
    shown = value if len(value) <= 63 and value.isprintable() else "this"
    what = f'"{shown}" is not one of {choices}' if len(words) > 1 else f"must be {choices}"
    return what, f'did you mean "{meant}"?' if meant is not None else "choose one"


def _items(value: Any, count: int) -> str:
    noun = "entries" if isinstance(value, Mapping) else "items"
    return f"{count:,} {noun}" if count != 1 else ("1 entry" if noun == "entries" else "1 item")


def _too_long(value: Any, context: Mapping[str, Any]) -> Words:
    actual = len(value) if isinstance(value, list | tuple | dict) else 0
    return f"has {_items(value, actual)}, at most {context['max_length']:,} are allowed", "remove some"


def _too_short(value: Any, context: Mapping[str, Any]) -> Words:
    return f"needs at least {_items(value, context['min_length'])}", "add what is missing"


def _pattern(value: Any, context: Mapping[str, Any]) -> Words:
    return f"must be {LOOKS_LIKE.get(context['pattern'], 'spelled as ' + context['pattern'])}", "correct it"


def _duplicate(value: Any, context: Mapping[str, Any]) -> Words:
    what = context["what"]
    return (
        f"the {what} of this item was given before" if what else "was given before"
    ), "remove or rename it"


_EXPLANATIONS: Mapping[str, Callable[[Any, Mapping[str, Any]], Words]] = {
    "missing": lambda value, context: ("is required", "add it"),
    "string_type": _text,
    "int_type": _whole_number,
    "int_parsing": _whole_number,
    "int_from_float": _whole_number,
    "bool_type": _wrong_type("true or false", "write true or false, without quotes"),
    "tuple_type": _wrong_type("a list", "start each item with a dash"),
    "list_type": _wrong_type("a list", "start each item with a dash"),
    "dict_type": _wrong_type("a mapping", "write key: value"),
    "model_type": _wrong_type("a mapping", "write key: value"),
    "model_attributes_type": _wrong_type("a mapping", "write key: value"),
    "enum": _choice,
    "literal_error": _choice,
    "string_pattern_mismatch": _pattern,
    "string_too_short": lambda value, context: (
        (
            "must not be empty"
            if context["min_length"] == 1
            else f"needs at least {context['min_length']} characters"
        ),
        "write it, or remove the line",
    ),
    "string_too_long": lambda value, context: (
        f"is longer than {context['max_length']:,} characters",
        "shorten it",
    ),
    "too_long": _too_long,
    "too_short": _too_short,
    "greater_than_equal": lambda value, context: (f"must be at least {context['ge']:,}", "raise it"),
    "less_than_equal": lambda value, context: (f"must be at most {context['le']:,}", "lower it"),
    MALFORMED: lambda value, context: (f"must be {context['looks_like']}", "correct it"),
    UNQUOTED_FRACTION: lambda value, context: (
        "must be text or a whole number, not a fraction",
        "put it in quotes",
    ),
    DUPLICATE_ITEM: _duplicate,
    NOT_BASE64: lambda value, context: ("is not base64", "encode it, or write it as it is under stringData"),
}
