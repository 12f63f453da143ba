"""Our reader and kubectl's (sigs.k8s.io/yaml, run for real) make the same JSON of the same text."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.api.documents import read_documents
from tests.support.go_programs import built

ROOT = Path(__file__).parents[3]

SCALARS = (ROOT / "tests/corpus/scalars.txt").read_text().split()

TAGGED = (
    *(
        "!!str yes",
        "!!str 1",
        '!!int "5"',
        "!!int 0x10",
        '!!int "x"',
        "!!float 5",
        '!!float "1.5"',
        "!!float x",
    ),
    *('!!bool "yes"', '!!bool "1"', '!!null ""', "!!null x", "!!binary aGVsbG8=", "!!timestamp 2001-01-01"),
    *("!!timestamp x", "!own 1", '!own "x"', "! 5", '! "5"'),
)

STRUCTURES = (
    "a: &x {k: 1}\nb:\n  k: 2\n  <<: *x\n",
    "a: &x {k: 1}\nb:\n  <<: *x\n  k: 2\n",
    "a: &x {k: 1, l: 3}\nc: &y {k: 5}\nb:\n  <<: [*x, *y]\n",
    "a: &x {k: 1}\nb: {<<: *x, <<: {m: 3}}\n",
    "b: {<<: 3}\n",
    "b: {<<: [1]}\n",
    '"<<": {a: 1}\n',
    "&a k: v\nj: *a\n",
    "a: &k key\nb: {*k : v}\n",
    "a: *no\n",
    "a: |\n  yes\n",
    "a: >-\n  1\n",
    "a: |2-\n   x\n\n",
    "a: x\n  y\n\n  z\n",
    'a: "x\n  y \\\n  z\\t\\u00e9"\n',
    "a:\n- 1\n- [x: y]\n- {z}\n-\n",
    "[1, on, ~]\n",
    "just text\n",
    "42\n",
    "? {a: b}\n: c\n",
    "? [a]\n: c\n",
    "~: x\n",
    "a: !!map {b: c}\nd: !!seq [e]\n",
    "a: !own {b: c}\n",
    "%YAML 1.1\n---\na: 0o7\n",
    "a: b: c\n",
    "a: [1\n",
    "a:\n\tb: c\n",
    "# only a comment\n",
    "",
    "a: 'it''s'\n",
    "{a: 1, 'b': [2, 3,],}\n",
    '{"a": {"b": [1, 2.50, true, null, "x"]}}\n',
)

# Where we refuse what kubectl takes: it keeps the last of two values, and spells fractions in its own way.
STRICTER = ("a: 1\na: 2\n", "true: x\non: y\n", "1.5: x\n", "1e3: x\n", ".inf: x\n")


def of_kubectl(texts: list[str]) -> list[Any]:
    """What kubectl makes of each text; `ValueError` where it refuses it."""
    done = subprocess.run(
        [built("kubectl_yaml")], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return [answer.get("json", ValueError) for answer in answers]


def of_ours(text: str) -> Any:
    documents, problems = read_documents(text)
    if problems:
        return ValueError
    return documents[0].plain() if documents else None


def exactly(value: Any) -> str:
    """The JSON text: 1, 1.0 and true differ."""
    return "refused" if value is ValueError else json.dumps(value, sort_keys=True)


def differences(texts: list[str]) -> list[tuple[str, str, str]]:
    theirs = of_kubectl(texts)
    pairs = [
        (text, exactly(of_ours(text)), exactly(their)) for text, their in zip(texts, theirs, strict=True)
    ]
    return [pair for pair in pairs if pair[1] != pair[2]]


def test_a_value_is_what_kubectl_makes_of_it() -> None:
    assert differences([f"value: {scalar}\n" for scalar in (*SCALARS, *TAGGED)]) == []


def test_an_item_of_a_list_is_what_kubectl_makes_of_it() -> None:
    assert differences([f"- {scalar}\n" for scalar in SCALARS if scalar not in ("-",)]) == []


def test_a_key_is_what_kubectl_makes_of_it_or_refused() -> None:
    texts = [f"{scalar}: 1\n" for scalar in SCALARS]
    assert [difference for difference in differences(texts) if difference[1] != "refused"] == []


def test_collections_anchors_merges_and_blocks_are_what_kubectl_makes_of_them() -> None:
    assert differences(list(STRUCTURES)) == []


@pytest.mark.parametrize("text", STRICTER)
def test_what_kubectl_would_take_in_silence_is_refused(text: str) -> None:
    assert of_ours(text) is ValueError


def test_every_example_is_what_kubectl_makes_of_it() -> None:
    files = sorted((ROOT / "examples").rglob("*.yaml"))
    assert files
    texts = [part for file in files for part in file.read_text().split("\n---\n")]
    assert differences(texts) == []


@given(
    st.lists(st.text(alphabet="0123456789+-._eExXoObBnNyYtTfF:aAinf ", max_size=12), min_size=50, max_size=50)
)
@settings(max_examples=20)
def test_any_plain_scalar_is_what_kubectl_makes_of_it(scalars: list[str]) -> None:
    texts = [f"value: {scalar}\n" for scalar in scalars]
    assert differences(texts) == []
