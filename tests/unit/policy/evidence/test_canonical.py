"""The short way to tell a canonical text is never of another mind than the library that writes them."""

from __future__ import annotations

import json

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from pointsman.errors import PointsmanError
from pointsman.json_text import dumped, loaded
from pointsman.policy.evidence.canonical import is_canonical

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.sampled_from(
    ["\ue000", "\U00010000", "\x7f", "\x1f", '"', "\\", "e1", "0.5", ":1.5,"]
)
NUMBERS = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def by_the_library(text: bytes) -> bool | None:
    """None where the value has no such text."""
    try:
        return rfc8785.dumps(loaded(text)) == text
    except rfc8785.CanonicalizationError:
        return None


def in_short(text: bytes) -> bool | None:
    try:
        return is_canonical(text, loaded(text))
    except PointsmanError:
        return None


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
@example({"\ue000": 1, "\U00010000": 2})
@example({"": [0.5]})
@example({"": [{"": 1e16}]})
@example({"": 2**53})
@example({"": -0.0})
def test_a_text_is_canonical_where_the_library_writes_it(value: dict[str, object]) -> None:
    texts = [dumped(value, is_sorted=True), dumped(value), json.dumps(value).encode()]
    if by_the_library(texts[0]) is not None:
        texts.append(rfc8785.dumps(loaded(texts[0])))
    for text in texts:
        assert in_short(text) is by_the_library(text), text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"a":"x","b":[1,null,true,{}]}', True),
        (b'{"a":0.5}', True),
        (b'{"a":1e+21}', True),
        (b'{"a":"x","a":"x"}', False),
        (b'{"b":1,"a":1}', False),
        (b'{"a": 1}', False),
        (b'{"a":1.0}', False),
        (b'{"a":1e21}', False),
        (b'{"a":"\\u0041"}', False),
        (b'{"a":9007199254740992}', None),
        (b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", True),
    ],
)
def test_each_other_way_to_write_it_is_seen(text: bytes, expected: bool | None) -> None:
    assert in_short(text) is expected
    assert by_the_library(text) is expected
