"""YAML events -> trees of nodes, read as go-yaml v2 reads them, which is what kubectl uses.

Without recursion; hostile input (deep nesting, aliases that multiply) is refused before it costs anything.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import yaml

from pointsman.api.nodes import Entry, Node, Path, Position, Problem
from pointsman.api.yamlscalars import NotJson, read_key, read_scalar

DEEPEST = 100
# Several times what objects of the largest size hold: a value takes some ten characters of a file.
MOST_NODES = 1_000_000

_MERGE = "<<"
_MERGE_TAG = "tag:yaml.org,2002:merge"


class Unreadable(Exception):
    """Nothing after this can be read."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class _Key:
    name: str
    text: str
    position: Position
    merges: bool = False
    dropped: bool = False
    """The key itself is wrong, so nothing can be said about its value."""


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet."""

    node: Node
    anchor: str | None
    key: _Key | None = None
    given: dict[str, Position] = field(default_factory=dict)
    """The keys that the file itself gives here, apart from merged ones."""


class Composer:
    """Takes the events of one file; `roots` and `problems` grow as documents end."""

    def __init__(self, lines: Sequence[int] = ()) -> None:
        """`lines`: for each of YAML's lines the editor's, where the two differ."""
        self._lines = lines
        self.roots: list[Node] = []
        self.problems: list[Problem] = []
        self._opened: list[_Open] = []
        self._anchors: dict[str, Node] = {}

    def compose(self, events: Iterable[yaml.Event]) -> None:
        """Raises Unreadable, and whatever the parser behind `events` raises."""
        for event in events:
            position = self._position(event)
            match event:
                case yaml.DocumentStartEvent():
                    self._opened, self._anchors = [], {}
                case yaml.MappingStartEvent():
                    self._open(Node(position, entries={}), event.anchor)
                case yaml.SequenceStartEvent():
                    self._open(Node(position, items=[]), event.anchor)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    done = self._opened.pop()
                    self._place(done.node, done.anchor, done.node.position)
                case yaml.AliasEvent():
                    self._alias(event.anchor, position)
                case yaml.ScalarEvent():
                    self._scalar(event, position)

    def _open(self, node: Node, anchor: str | None) -> None:
        if len(self._opened) >= DEEPEST:
            self._refuse_depth(node.position)
        self._opened.append(_Open(node, anchor))

    def _alias(self, anchor: str | None, position: Position) -> None:
        if anchor is None or anchor not in self._anchors:
            what = "an alias names an anchor that is not defined before it"
            raise Unreadable(Problem(what, "define the anchor (&name) first", position, self._path()))
        self._place(self._anchors[anchor], None, position)

    def _scalar(self, event: yaml.ScalarEvent, position: Position) -> None:
        plain = bool(event.implicit[0])
        parent = self._opened[-1] if self._opened else None
        try:
            if parent is None or parent.node.entries is None or parent.key is not None:
                value = read_scalar(event.value, tag=event.tag, plain=plain)
                self._place(Node(position, value=value), event.anchor, position)
                return
            if event.anchor is not None:
                self._anchors[event.anchor] = Node(position, value=event.value)
            if event.value == _MERGE and (plain or event.tag == _MERGE_TAG):
                parent.key = _Key(_MERGE, _MERGE, position, merges=True)
            else:
                name = read_key(event.value, tag=event.tag, plain=plain)
                parent.key = _Key(name, event.value, position)
        except NotJson as error:
            # In the whole itself there is no field to point at but the key.
            path = self._path() or ((event.value,) if parent is not None else ())
            self.problems.append(Problem(error.what, error.todo, position, path))
            if parent is not None and parent.node.entries is not None and parent.key is None:
                parent.key = _Key(event.value, event.value, position, dropped=True)
            else:
                self._place(Node(position), event.anchor, position)

    def _place(self, node: Node, anchor: str | None, position: Position) -> None:
        """Puts a finished node where it belongs: into its parent, or among the roots."""
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._opened:
            self.roots.append(node)
            return
        parent = self._opened[-1]
        parent.node.size += node.size
        parent.node.depth = max(parent.node.depth, node.depth + 1)
        if parent.node.size > MOST_NODES:
            what = f"holds more than {MOST_NODES:,} values with its aliases written out"
            raise Unreadable(Problem(what, "use fewer aliases, or split it", position, self._path()))
        if len(self._opened) + node.depth >= DEEPEST:
            self._refuse_depth(position)
        if parent.node.items is not None:
            parent.node.items.append(node)
        elif parent.key is None:
            parent.key = self._key_of(node, position)
        else:
            self._set(parent, parent.key, node)
            parent.key = None

    def _key_of(self, node: Node, position: Position) -> _Key:
        if isinstance(node.value, str):  # an alias as a key
            return _Key(node.value, node.value, position)
        self.problems.append(Problem("a key must be text", "put the key in quotes", position, self._path()))
        return _Key("?", "?", position, dropped=True)

    def _set(self, parent: _Open, key: _Key, node: Node) -> None:
        entries = parent.node.entries
        if entries is None:
            raise AssertionError("only a mapping waits for the value of a key")
        if key.dropped:
            return
        if key.merges:
            # As go-yaml v2: a merge sets its keys where it stands, so it also replaces what stands before it.
            for source in reversed(node.items) if node.items is not None else [node]:
                if source.entries is None:
                    what = "<< must be followed by a mapping, or a list of mappings"
                    self.problems.append(
                        Problem(what, "name an anchor of a mapping", key.position, self._path())
                    )
                    return
                entries.update(source.entries)
            return
        if key.name in parent.given:
            what = f"given twice, first in line {parent.given[key.name].line}"
            self.problems.append(Problem(what, "remove one of the two", key.position, self._path()))
            return
        parent.given[key.name] = key.position
        entries[key.name] = Entry(key.position, key.text, node)

    def _refuse_depth(self, position: Position) -> None:
        what = f"nested deeper than {DEEPEST} levels"
        raise Unreadable(Problem(what, "write it flatter", position, self._path()))

    def _path(self) -> Path:
        steps: list[str | int] = []
        for one in self._opened:
            if one.node.items is not None:
                steps.append(len(one.node.items))
            elif one.key is not None:
                steps.append(one.key.name)
        return tuple(steps)

    def _position(self, event: yaml.Event) -> Position:
        mark = event.start_mark
        if mark is None:
            return Position(1, 1)
        if not self._lines:
            return Position(mark.line + 1, mark.column + 1)
        # The end of a text may be counted as a line more.
        return Position(self._lines[min(mark.line, len(self._lines) - 1)], mark.column + 1)
