"""From the catalogue's rows and the values of one start to a command line and an environment."""

from collections.abc import Mapping
from dataclasses import dataclass

from pointsman.catalog import Launch, LaunchArgument, LaunchCondition, LaunchValue, LaunchVariable


@dataclass(frozen=True)
class Start:
    """One start of one engine: what there is to say, under which conditions, in which version."""

    version: str | None
    values: Mapping[LaunchValue, tuple[str, ...]]
    conditions: frozenset[LaunchCondition]

    def counts(self, row: LaunchArgument | LaunchVariable) -> bool:
        return row.holds_in(self.version) and self.conditions.issuperset(row.when)


def arguments(launch: Launch, start: Start) -> list[str]:
    """The arguments of ours, in the order of the rows; flag and value are separate entries, which every
    engine's parser takes.
    """
    found: list[str] = []
    for row in launch.arguments:
        if not start.counts(row):
            continue
        if row.takes is None:
            found += [part for part in (row.flag, row.text) if part is not None]
            continue
        values = start.values.get(row.takes, ())
        if values:
            found += [row.flag] if row.flag is not None else []
            found += [",".join(values)] if row.joined == "comma" else values
    return found


def variables(launch: Launch, start: Start) -> dict[str, str]:
    """The variables of ours, in the order of the rows."""
    found: dict[str, str] = {}
    for row in launch.variables:
        if not start.counts(row):
            continue
        value = row.text if row.takes is None else ",".join(start.values.get(row.takes, ()))
        if value:
            found[row.name] = value
    return found
