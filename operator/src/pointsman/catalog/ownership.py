"""Which engine arguments and variables are Pointsman's own, so that a user's copy is refused by name."""

from pointsman.catalog.engines import OwnedArgument, plain_flag
from pointsman.catalog.loading import Catalog, shipped_catalog


def owned_argument(engine: str, argument: str, catalog: Catalog | None = None) -> OwnedArgument | None:
    """The owner of an entry of `spec.engine.args`, or None where the user may pass it (or it is a value).

    Understands `--flag`, `--flag=value`, underscores for dashes, and the beginning of a flag, where the
    engine's parser also accepts it. An unknown engine owns nothing.
    """
    flag, owned = plain_flag(argument), _owned(engine, catalog)
    exact = next((owner for owner in owned if flag in owner.flags), None)
    if exact is not None or not _may_be_beginning(engine, flag, catalog):
        return exact
    return next((owner for owner in owned if any(one.startswith(flag) for one in owner.flags)), None)


def owned_variable(engine: str, variable: str, catalog: Catalog | None = None) -> OwnedArgument | None:
    """The owner of an environment variable of `spec.engine.env`, or None where the user may set it."""
    return next((owner for owner in _owned(engine, catalog) if variable in owner.variables), None)


def _owned(engine: str, catalog: Catalog | None) -> tuple[OwnedArgument, ...]:
    facts = (catalog or shipped_catalog()).engines.get(engine)
    return facts.arguments if facts else ()


def _may_be_beginning(engine: str, flag: str, catalog: Catalog | None) -> bool:
    """A flag that some version has is not one: an exact name goes before an abbreviation."""
    facts = (catalog or shipped_catalog()).engines.get(engine)
    if facts is None or not facts.abbreviated_flags or not flag.startswith("--") or flag == "--":
        return False
    return not any(flag in row.flags for row in facts.lifetimes)
