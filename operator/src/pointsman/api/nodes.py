"""A YAML document as a tree that knows where each value stands in its file."""

import re
from dataclasses import dataclass
from typing import Any

from pointsman.api.yamlscalars import JsonScalar

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """Where something begins, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the text itself, whatever it is about; `path` as far as it is known."""

    what: str
    todo: str
    position: Position
    path: Path = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a mapping as it is spelled in the file (`text`), where it stands, and its value."""

    position: Position
    text: str
    node: "Node"


@dataclass(slots=True, eq=False)
class Node:
    """A mapping (`entries`), a list (`items`) or a scalar (`value`).

    `size` counts the nodes below with every alias written out, `depth` the levels below.
    """

    position: Position
    value: JsonScalar = None
    entries: dict[str, Entry] | None = None
    items: "list[Node] | None" = None
    size: int = 1
    depth: int = 0

    def plain(self) -> Any:
        """The value as dicts, lists and JSON scalars."""
        if self.entries is not None:
            return {key: entry.node.plain() for key, entry in self.entries.items()}
        if self.items is not None:
            return [item.plain() for item in self.items]
        return self.value

    @property
    def is_empty(self) -> bool:
        return self.entries is None and self.items is None and self.value is None


_STEP = re.compile(r"\[([0-9]+)\]|([^.\[\]]+)")


def path_text(path: Path) -> str:
    """The path as YAML people write it: `spec.rules[0].targets[1]`, `metadata.labels["a/b"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.replace("_", "").replace("-", "").isalnum():
            text += f".{step}" if text else step
        else:
            shown = step if len(step) <= 80 else step[:77] + "..."
            text += '["' + " ".join(shown.replace('"', '\\"').split()) + '"]'
    return text


def path_of(text: str) -> Path:
    """The path that a finding names, `spec.tasks[1]`; without keys that need quotes."""
    steps = _STEP.findall(text)
    return tuple(int(index) if index else name for index, name in steps)
