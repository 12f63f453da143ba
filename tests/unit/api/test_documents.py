"""Where things stand in a file, and what a hostile file costs."""

import tracemalloc

import pytest

from pointsman.api.documents import LARGEST_CHARACTERS, read_documents
from pointsman.api.nodes import Path, path_text

TEXT = """\
# a comment

a: 1
b:
  c: {d: 2, e: [x, y]}
  f:
  - g: 3
    h:
      4
  -
    g: 5
---
# nothing here
---
on: &anchor {k: v}
again: *anchor
"""

POSITIONS: dict[Path, int] = {
    (): 3,
    ("a",): 3,
    ("b",): 4,
    ("b", "c"): 5,
    ("b", "c", "e", 1): 5,
    ("b", "f"): 6,
    ("b", "f", 0): 7,
    ("b", "f", 0, "h"): 8,
    ("b", "f", 1): 11,
    ("b", "f", 1, "g"): 11,
    # What is not there is shown where it would belong.
    ("b", "f", 1, "missing", "below"): 11,
    ("b", "f", 7): 6,
    ("missing",): 3,
}


@pytest.mark.parametrize(
    ("path", "line"),
    POSITIONS.items(),
    ids=lambda value: (path_text(value) or "root") if isinstance(value, tuple) else None,
)
def test_a_field_is_found_at_the_line_of_its_key(path: Path, line: int) -> None:
    documents, problems = read_documents(TEXT)
    assert problems == []
    assert documents[0].position_of(path).line == line


def test_documents_without_content_are_left_out_and_aliases_keep_their_line() -> None:
    _, second = read_documents(TEXT)[0]
    assert second.plain() == {"true": {"k": "v"}, "again": {"k": "v"}}
    assert second.position_of(("again",)).line == 16
    assert second.position_of(("again", "k")).line == 15
    assert second.key_text(("true",)) == "on"


def test_a_list_is_taken_apart() -> None:
    documents, _ = read_documents("kind: List\nitems:\n- kind: A\n-\n  kind: B\n")
    assert [(document.plain()["kind"], document.position_of(()).line) for document in documents] == [
        ("A", 3),
        ("B", 5),
    ]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("spec", "rules", 0, "targets", 1), "spec.rules[0].targets[1]"),
        (("metadata", "labels", "a/b"), 'metadata.labels["a/b"]'),
        (("x-y", "a_b"), "x-y.a_b"),
        (("",), '[""]'),
        (('say "hi"\n',), '["say \\"hi\\""]'),
    ],
)
def test_paths_are_written_as_people_write_them(path: Path, text: str) -> None:
    assert path_text(path) == text


HOSTILE = {
    "ten thousand levels of lists": "[" * 10_000,
    "ten thousand levels of mappings": "{a: " * 10_000,
    "ten thousand levels by indentation": "\n".join(" " * depth + "a:" for depth in range(1000)),
    "aliases that multiply": "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(20)),
    "aliases that nest": "a0: &a0 []\n"
    + "".join(f"a{i + 1}: &a{i + 1} {'[' * 90}*a{i}{']' * 90}\n" for i in range(50)),
    "an alias of itself": "a: &a [*a]\n",
    "more than 3 MiB": "a" * (LARGEST_CHARACTERS + 1),
    "half a surrogate": "a: \ud800\n",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_is_one_problem_and_costs_little(text: str) -> None:
    tracemalloc.start()
    documents, problems = read_documents(text)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(problems) == 1
    assert documents == []
    assert peak_bytes < 64 * 1024 * 1024


def test_problems_that_are_no_syntax_errors_do_not_end_the_reading() -> None:
    documents, problems = read_documents("a: 1\na: 2\nb: .inf\n---\nc: 3\n")
    assert [(problem.position.line, path_text(problem.path)) for problem in problems] == [(2, "a"), (3, "b")]
    assert [document.plain() for document in documents] == [{"a": 1, "b": None}, {"c": 3}]


def test_lines_are_those_of_an_editor_where_yaml_counts_others() -> None:
    documents, problems = read_documents("a: 'x\u2028y'\nb: 'x\x85y'\nc: .inf\n")
    assert [problem.position.line for problem in problems] == [3]
    assert documents[0].position_of(("b",)).line == 2
