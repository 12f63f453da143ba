"""Which adapters an engine should have, and what brings it from those that it has to those. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pointsman.errors import PointsmanError


@dataclass(frozen=True, slots=True)
class WantedAdapter:
    """`path` is where it lies below the store once `item` was fetched; so is the item's `into`."""

    name: str
    path: str
    item: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to ask of an engine. Without a path the adapter goes; `replaces`: the name is there."""

    name: str
    path: str = ""
    replaces: bool = False


def read_wanted(text: str) -> tuple[WantedAdapter, ...]:
    """The list as it is mounted. PointsmanError for what is none, or leads out of the store."""
    try:
        stated: Any = json.loads(text)
        return tuple(_wanted(one) for one in stated["adapters"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PointsmanError(f"the list of adapters is not understood: {error}") from error


def changes(wanted: Mapping[str, str], loaded: Mapping[str, str]) -> Iterator[Change]:
    """From what is loaded to what is wanted, both name -> path: what is too much goes first."""
    for name in sorted(loaded.keys() - wanted.keys()):
        yield Change(name)
    for name in sorted(wanted):
        if loaded.get(name) != wanted[name]:
            yield Change(name, wanted[name], replaces=name in loaded)


def _wanted(stated: Any) -> WantedAdapter:
    item = {**stated["item"], "into": _below_store(stated["item"]["into"])}
    return WantedAdapter(str(stated["name"]), _below_store(stated["path"]), item)


def _below_store(path: Any) -> str:
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise ValueError(f"{path} is not below the store")
    return str(path)
