"""How a function is declared that Kubernetes adds to CEL. Kinds of its own, as quantities are, are maps."""

from collections.abc import Callable, Sequence
from typing import Any

from cel_expr_python import cel

TEXT, BOOL, INT, DOUBLE = cel.Type.STRING, cel.Type.BOOL, cel.Type.INT, cel.Type.DOUBLE
ANY, MAP, LIST = cel.Type.DYN, cel.Type.MAP, cel.Type.LIST

Impl = Callable[..., Any]


def function(name: str, *overloads: Any) -> Any:
    return cel.FunctionDecl(name, list(overloads))


def plain(identity: str, result: Any, parameters: Sequence[Any], impl: Impl) -> Any:
    """`name(a, b)`."""
    return cel.Overload(identity, return_type=result, parameters=list(parameters), impl=impl)


def member(identity: str, result: Any, parameters: Sequence[Any], impl: Impl) -> Any:
    """`a.name(b)`."""
    return cel.Overload(identity, return_type=result, parameters=list(parameters), is_member=True, impl=impl)
