"""Which engine arguments and variables are Pointsman's own, so that a user's copy is refused by name."""

from pointsman.catalog.engines import OwnedArgument, plain_flag
from pointsman.catalog.loading import Catalog, shipped_catalog


def owned_argument(engine: str, argument: str, catalog: Catalog | None = None) -> OwnedArgument | None:
    """The owner of an entry of `spec.engine.args`, or None where the user may pass it (or it is a value).

    Understands `--flag`, `--flag=value`, and underscores for dashes, which the engines' parsers also accept.
    An unknown engine owns nothing.
    """
    flag = plain_flag(argument)
    return next((owner for owner in _owned(engine, catalog) if flag in owner.flags), None)


def owned_variable(engine: str, variable: str, catalog: Catalog | None = None) -> OwnedArgument | None:
    """The owner of an environment variable of `spec.engine.env`, or None where the user may set it."""
    return next((owner for owner in _owned(engine, catalog) if variable in owner.variables), None)


def _owned(engine: str, catalog: Catalog | None) -> tuple[OwnedArgument, ...]:
    facts = (catalog or shipped_catalog()).engines.get(engine)
    return facts.arguments if facts else ()
