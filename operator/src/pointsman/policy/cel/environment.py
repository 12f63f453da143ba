"""Compiles expressions as the API server does: once with the fields of a kind, to find what is wrong, and
once over plain values, to be evaluated.
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.policy.cel.errors import Broken, EvaluationError
from pointsman.policy.cel.functions import FUNCTIONS
from pointsman.policy.cel.messages import pool_of
from pointsman.policy.cel.schemas import JSON_PATCH, NAMESPACE, schema_of
from pointsman.policy.cel.syntax import paths_below, refuse_bad_literals

_VARIABLE = "variables."
PACKAGE = "pointsman.objects"
_PATCHES = "pointsman.patches"
"""Where an expression's own type names are looked for; never where variables are called alike."""
_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_MESSAGE = re.compile(rf"'?{re.escape(PACKAGE)}\.(\w+)'?")
# Where a value stands that could not be read, with all that is around it: an object may hold a secret.
_VALUE = re.compile(r" '[^']*'(?= out of range)| for '(?:object|namespaceObject)\b.*", re.DOTALL)
_EXTENSIONS = (ext_strings.ExtStrings(), ext_optional.ExtOptional())


def checked(kind: PolicyKind, expression: str, variables: Mapping[str, str], wanted: str, where: str) -> None:
    """See `pointsman.policy.cel.checked`."""
    try:
        _check(kind, expression, tuple(variables.items()), wanted)
    except Broken as error:
        raise Broken(error.what, where=f"{where}{error.where}", todo=error.todo) from None


@lru_cache(maxsize=8192)
def _check(kind: PolicyKind, expression: str, variables: tuple[tuple[str, str], ...], wanted: str) -> None:
    """The same of an expression that many policies have: to compile all packs takes a second."""
    types: dict[str, Any] = {}
    for name, text in variables:
        types[_VARIABLE + name] = _typed(kind, text, types, f".variables.{name}").return_type()
    found = _typed(kind, expression, types, "").return_type().name()
    if found.partition("<")[0].upper() not in (wanted, "DYN"):
        raise Broken(f"gives {found.lower()}", todo=f"it must give {wanted.lower()}")
    if wanted != "LIST":
        # The messages of the checker are no types that the API server knows, and no values have them here.
        Program(expression, dict(variables))


def _typed(kind: PolicyKind, expression: str, variables: Mapping[str, Any], where: str) -> Any:
    environment = cel.NewEnv(
        descriptor_pool=_pool(kind),
        variables={
            "object": cel.Type(f"{PACKAGE}.object"),
            "namespaceObject": cel.Type(f"{PACKAGE}.namespaceObject"),
            **variables,
        },
        extensions=_EXTENSIONS,
        functions=FUNCTIONS,
        container=_PATCHES,
    )
    return _compiled(environment, expression, where)


@cache
def _pool(kind: PolicyKind) -> Any:
    objects = {"object": schema_of(kind), "namespaceObject": NAMESPACE}
    return pool_of({PACKAGE: objects, _PATCHES: {"JSONPatch": JSON_PATCH}})


def _compiled(environment: Any, expression: str, where: str) -> Any:
    try:
        return environment.compile(expression)
    except RuntimeError as error:
        found = _ERROR.search(str(error))
        what = (
            str(error).splitlines()[0]
            if found is None
            else f"{found[3]} (line {found[1]}, column {found[2]})"
        )
        raise Broken(_in_words(what), where=where, todo="correct the expression") from None


def _in_words(what: str) -> str:
    """The checker's words, with the object's fields in place of the messages that stand for them."""
    plain = what.replace(f" (in container '{_PATCHES}')", "").replace("in struct ", "in ")
    return _MESSAGE.sub(lambda found: found[1].replace("_", "."), plain)


@lru_cache(maxsize=8192)
def reads(expression: str) -> frozenset[tuple[str, ...]]:
    """See `pointsman.policy.cel.reads`."""
    return paths_below(_compiled(_plain_environment({}), expression, ""))


def _plain_environment(names: Mapping[str, Any]) -> Any:
    return cel.NewEnv(
        variables={"object": cel.Type.DYN, "namespaceObject": cel.Type.DYN, **names},
        extensions=_EXTENSIONS,
        functions=FUNCTIONS,
    )


class Program:
    """Expressions over one object: the named ones first, for the others to use."""

    def __init__(self, expression: str, variables: Mapping[str, str]) -> None:
        """Broken where they do not compile."""
        names = {_VARIABLE + name: cel.Type.DYN for name in variables}
        environment = _plain_environment(names)
        self._variables = {
            _VARIABLE + name: _compiled(environment, text, name) for name, text in variables.items()
        }
        self._expression = _compiled(environment, expression, "")
        for name, text in variables.items():
            refuse_bad_literals(self._variables[_VARIABLE + name], text, f".variables.{name}")
        refuse_bad_literals(self._expression, expression, "")

    def value(self, object_: Mapping[str, Any], namespace: Mapping[str, Any]) -> Any:
        """What it gives. EvaluationError where the API server would find an error too."""
        data: dict[str, Any] = {"object": object_, "namespaceObject": namespace}
        for name, program in self._variables.items():
            found = program.eval(data=data)
            if found.type() != cel.Type.ERROR:
                data[name] = found.plain_value()
        found = self._expression.eval(data=data)
        if found.type() == cel.Type.ERROR:
            raise EvaluationError(_VALUE.sub("", str(found.value())))
        return found.plain_value()
