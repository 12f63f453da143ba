"""The rules' language: CEL as the API server speaks it, checked and evaluated here.

The library behind it is loaded with the first expression: an operator without policies need not hold its
15 MiB.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.policy.cel.errors import Broken, EvaluationError

if TYPE_CHECKING:
    from pointsman.policy.cel.environment import Program

__all__ = ["Broken", "EvaluationError", "checked", "program", "reads"]


def checked(kind: PolicyKind, expression: str, variables: Mapping[str, str], wanted: str, where: str) -> None:
    """Broken, with the place in the expression, unless it compiles over this kind to the `wanted` type
    (BOOL, STRING, LIST).

    `variables` are expressions by name, each of which may use those before it.
    """
    from pointsman.policy.cel import environment

    environment.checked(kind, expression, variables, wanted, where)


def program(expression: str, variables: Mapping[str, str]) -> "Program":
    """What evaluates an expression over objects. Broken unless it compiles."""
    from pointsman.policy.cel import environment

    return environment.Program(expression, variables)


def reads(expression: str) -> frozenset[tuple[str, ...]]:
    """The paths below `object` that an expression reads, such as ("spec", "replicas"); an empty one where it
    takes `object` whole. Broken unless it compiles.
    """
    from pointsman.policy.cel import environment

    return environment.reads(expression)
