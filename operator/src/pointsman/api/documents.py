"""YAML text -> the objects in it, each of which knows the line of each of its fields."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from pointsman.api.composer import Composer, Unreadable
from pointsman.api.nodes import Node, Path, Position, Problem

# What the API server takes in one request (its limit for the body of a request).
LARGEST_CHARACTERS = 3 * 1024 * 1024
TOO_LARGE = ("the file is larger than 3 MiB", "split it")

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# What libyaml says first, and what helps.
_REMEDIES = {
    "did not find expected key": "check the indentation of this line and of the lines before it",
    "did not find expected '-' indicator": "start each item of the list with a dash, all in the same column",
    "mapping values are not allowed": 'check the indentation; a text that contains ": " needs quotes',
    "could not find expected ':'": "write key: value, or put the text in quotes",
    "found character that cannot start any token": "indent with spaces; quote text that begins with @, `, %",
    "did not find expected ',' or ']'": "close the list with ] and separate its items with commas",
    "did not find expected ',' or '}'": "close the mapping with } and separate its entries with commas",
    "found unexpected end of stream": "close the quote or bracket",
    "found a tab character": "indent with spaces",
}


@dataclass(frozen=True)
class Document:
    """One object of a file."""

    root: Node

    def plain(self) -> Any:
        return self.root.plain()

    def position_of(self, path: Path) -> Position:
        """Where the field's key (or the list's item) stands; for an absent field, the part that lacks it."""
        return self._walk(path)[0]

    def key_text(self, path: Path) -> str:
        """How the path's last key is spelled in the file: `on` for a key that YAML reads as true."""
        return self._walk(path)[1]

    def _walk(self, path: Path) -> tuple[Position, str]:
        node, position, text = self.root, self.root.position, ""
        for step in path:
            if isinstance(step, str) and node.entries is not None and step in node.entries:
                entry = node.entries[step]
                node, position, text = entry.node, entry.position, entry.text
            elif isinstance(step, int) and node.items is not None and 0 <= step < len(node.items):
                node = node.items[step]
                position, text = node.position, ""
            else:
                break
        return position, text


_BREAKS_ONLY_YAML_KNOWS = frozenset("\x85\u2028\u2029")
_YAML_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


def read_documents(text: str) -> tuple[list[Document], list[Problem]]:
    """The objects of a text (a `kind: List` taken apart, empty ones left out), and what is wrong with it.

    After a syntax error nothing more is read; the documents before it are whole.
    """
    text = text.removeprefix("\ufeff")
    composer = Composer(_lines_of_yaml(text))
    problem = _compose(text, composer)
    problems = composer.problems if problem is None else [*composer.problems, problem]
    stated = [root for root in composer.roots if not root.is_empty]
    return [document for root in stated for document in _objects(root)], problems


def _lines_of_yaml(text: str) -> tuple[int, ...]:
    """For each line as YAML counts the line as editors count; empty where they agree, as nearly always.

    YAML 1.1 also ends lines at the next-line character and at Unicode's line and paragraph separators.
    """
    if _BREAKS_ONLY_YAML_KNOWS.isdisjoint(text):
        return ()
    lines = [1]
    for found in _YAML_BREAK.finditer(text):
        lines.append(lines[-1] + (found[0] not in _BREAKS_ONLY_YAML_KNOWS))
    return tuple(lines)


def _objects(root: Node) -> Iterator[Document]:
    entries = root.entries or {}
    kind, items = entries.get("kind"), entries.get("items")
    if kind is None or not str(kind.node.value).endswith("List") or items is None or items.node.items is None:
        yield Document(root)
        return
    yield from (Document(item) for item in items.node.items)


def _compose(text: str, composer: Composer) -> Problem | None:
    """Feeds the text to the composer; returns what ended the reading early."""
    if len(text) > LARGEST_CHARACTERS:
        return Problem(*TOO_LARGE, Position(1, 1))
    try:
        encoded = text.encode()
        composer.compose(yaml.parse(text, Loader=_LOADER))
    except UnicodeEncodeError as error:
        return Problem(
            "not Unicode text", "save it as UTF-8", Position(text.count("\n", 0, error.start) + 1, 1)
        )
    except yaml.reader.ReaderError as error:
        line = encoded.count(b"\n", 0, error.position) + 1
        return Problem("a control character has no place in YAML", "remove it", Position(line, 1))
    except yaml.MarkedYAMLError as error:
        return _syntax_problem(error, last_line=max(1, text.rstrip("\n").count("\n") + 1))
    except Unreadable as unreadable:
        return unreadable.problem
    return None


def _syntax_problem(error: yaml.MarkedYAMLError, last_line: int) -> Problem:
    mark = error.problem_mark or error.context_mark
    position = (
        Position(min(mark.line + 1, last_line), mark.column + 1) if mark is not None else Position(1, 1)
    )
    problem = error.problem or "syntax error"
    todo = next(
        (todo for start, todo in _REMEDIES.items() if problem.startswith(start)), "correct the syntax"
    )
    return Problem(f"not YAML: {problem}", todo, position)
