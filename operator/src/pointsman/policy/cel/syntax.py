"""What an expression is made of, for what its checker does not look at.

The API server refuses literals that can only fail: a pattern that is none, a duration, a date, lists and maps
whose members are not of one type. Our checker takes them, and what evaluates them finds an error in each
object.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from cel.expr import checked_pb2, syntax_pb2
from cel_expr_python import cel
from google.protobuf import any_pb2

from pointsman.policy.cel.errors import Broken

_PATTERNS = frozenset({"matches", "find", "findAll"})
_READERS = {"duration": "duration", "timestamp": "date"}
_MIXING = frozenset({"format"})
"""A list that is given to these may have members of several types."""


def refuse_bad_literals(expression: Any, text: str, where: str) -> None:
    """Broken for the first literal that the API server would refuse, or that fails whenever it is asked.

    `expression` is compiled over plain values: there the API server knows no more types than we do.
    """
    tree = _tree(expression)
    for node in _nodes(tree.expr):
        what = _wrong(node, tree)
        if what:
            line, column = _position(tree.source_info, node.id, text)
            at = f"{what} (line {line}, column {column})"
            raise Broken(at, where=where, todo="correct the expression")


def paths_below(expression: Any) -> frozenset[tuple[str, ...]]:
    """The paths below `object` that an expression reads; an empty one where it takes `object` whole."""
    return frozenset(_paths(_tree(expression).expr))


def _tree(expression: Any) -> checked_pb2.CheckedExpr:
    packed = any_pb2.Any.FromString(expression.serialize())
    return checked_pb2.CheckedExpr.FromString(packed.value)


def _children(node: syntax_pb2.Expr) -> Iterator[syntax_pb2.Expr]:
    match node.WhichOneof("expr_kind"):
        case "select_expr":
            yield node.select_expr.operand
        case "call_expr":
            if node.call_expr.HasField("target"):
                yield node.call_expr.target
            yield from node.call_expr.args
        case "list_expr":
            yield from node.list_expr.elements
        case "struct_expr":
            for entry in node.struct_expr.entries:
                if entry.HasField("map_key"):
                    yield entry.map_key
                yield entry.value
        case "comprehension_expr":
            loop = node.comprehension_expr
            yield from (loop.iter_range, loop.accu_init, loop.loop_condition, loop.loop_step, loop.result)


def _nodes(node: syntax_pb2.Expr) -> Iterator[syntax_pb2.Expr]:
    """All that a literal may stand in."""
    yield node
    if node.HasField("call_expr") and node.call_expr.function in _MIXING:
        return
    for child in _children(node):
        yield from _nodes(child)


def _wrong(node: syntax_pb2.Expr, tree: checked_pb2.CheckedExpr) -> str:
    match node.WhichOneof("expr_kind"):
        case "call_expr":
            return _wrong_call(node.call_expr)
        case "list_expr":
            return _mixed(node.list_expr.elements, tree, "a list of")
        case "struct_expr" if not node.struct_expr.message_name:
            entries = node.struct_expr.entries
            return _mixed([one.map_key for one in entries], tree, "a map with keys of") or _mixed(
                [one.value for one in entries], tree, "a map with values of"
            )
    return ""


def _wrong_call(call: syntax_pb2.Expr.Call) -> str:
    # The text that is looked through comes first.
    arguments = [*([call.target] if call.HasField("target") else []), *call.args]
    if call.function in _PATTERNS and len(arguments) > 1 and _is_text(arguments[1]):
        return _failure("''.matches(text)", arguments[1].const_expr.string_value)
    if call.function in _READERS and len(arguments) == 1 and _is_text(arguments[0]):
        text = arguments[0].const_expr.string_value
        failed = _failure(f"{call.function}(text) == {call.function}(text)", text)
        return f"{text!r} is no {_READERS[call.function]}" if failed else ""
    return ""


def _is_text(node: syntax_pb2.Expr) -> bool:
    return bool(node.const_expr.HasField("string_value"))


def _failure(expression: str, text: str) -> str:
    found = _program(expression).eval(data={"text": text})
    return str(found.value()).partition(": ")[2] if found.type() == cel.Type.ERROR else ""


@cache
def _program(expression: str) -> Any:
    return cel.NewEnv(variables={"text": cel.Type.STRING}).compile(expression)


def _mixed(members: Iterable[syntax_pb2.Expr], tree: checked_pb2.CheckedExpr, of: str) -> str:
    known = [_called(tree.type_map.get(one.id)) for one in members if _is_known(one, tree)]
    other = next((one for one in known if one != known[0]), None)
    return "" if other is None else f"{of} {known[0]} and {other}: all must be of one type"


def _is_known(node: syntax_pb2.Expr, tree: checked_pb2.CheckedExpr) -> bool:
    """Whether the API server takes it for what we do: it knows more of variables and of functions."""
    return "dyn" not in _called(tree.type_map.get(node.id)) or bool(_path(node))


def _called(type_: checked_pb2.Type | None) -> str:
    if type_ is None:
        return "dyn"
    match type_.WhichOneof("type_kind"):
        case "primitive":
            return str(checked_pb2.Type.PrimitiveType.Name(type_.primitive)).lower().replace("int64", "int")
        case "list_type":
            return f"list({_called(type_.list_type.elem_type)})"
        case "map_type":
            return f"map({_called(type_.map_type.key_type)}, {_called(type_.map_type.value_type)})"
        case "well_known":
            return str(checked_pb2.Type.WellKnownType.Name(type_.well_known)).lower()
        case "null":
            return "null"
        case "abstract_type":
            return str(type_.abstract_type.name)
    return "dyn"


def _paths(node: syntax_pb2.Expr) -> Iterator[tuple[str, ...]]:
    path = _path(node)
    if path is not None:
        yield path
        return
    for child in _children(node):
        yield from _paths(child)


def _path(node: syntax_pb2.Expr) -> tuple[str, ...] | None:
    """Of `object.spec.?replicas` and `has(object.spec.replicas)` both: ("spec", "replicas")."""
    match node.WhichOneof("expr_kind"):
        case "ident_expr":
            return () if node.ident_expr.name == "object" else None
        case "select_expr":
            above = _path(node.select_expr.operand)
            return None if above is None else (*above, node.select_expr.field)
        case "call_expr" if node.call_expr.function == "_?._":
            of, field = node.call_expr.args
            above = _path(of)
            return None if above is None else (*above, field.const_expr.string_value)
    return None


def _position(source: syntax_pb2.SourceInfo, id_: int, text: str) -> tuple[int, int]:
    offset = source.positions.get(id_, 0)
    before = text[:offset]
    return before.count("\n") + 1, offset - before.rfind("\n")
