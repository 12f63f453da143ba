"""The filter of attempts writes bodies anew in place; Python's json says whether it found the right places.

Texts have keys twice and in escapes, white space anywhere, and strings that look like what is looked for.
"""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.filter_host import Stream, attempts

SERVED = "served/Model-1.5:x@y"


class _Object(list[tuple[str, Any]]):
    """A JSON object with the order and the repetitions of its members."""


tricky_text = st.one_of(
    st.sampled_from(
        [
            '"model":"x"',
            '{"model":',
            "model",
            "\\",
            '\\"',
            "}",
            "]",
            '"stream_options":{}',
            "\\u006d",
            "include_usage",
        ]
    ),
    st.text(max_size=8),
)
keys = st.one_of(st.sampled_from(["model", "stream_options", "messages", "Model", "model "]), tricky_text)
values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), tricky_text
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(st.tuples(keys, inner), max_size=3).map(_Object)
    ),
    max_leaves=8,
)
option_values = st.one_of(
    values,
    st.lists(
        st.tuples(st.one_of(st.just("include_usage"), keys), st.one_of(st.booleans(), values)), max_size=3
    ).map(lambda pairs: _Object(pairs)),
)
blanks = st.text(" \t\r\n", max_size=2)


@st.composite
def texts(draw: st.DrawFn, value: Any) -> str:
    """One of the ways to write a value."""

    def gap() -> str:
        return draw(blanks)

    if isinstance(value, _Object):
        members = [f"{gap()}{draw(names(key))}{gap()}:{gap()}{draw(texts(one))}{gap()}" for key, one in value]
        return "{" + (",".join(members) or gap()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(f"{gap()}{draw(texts(one))}{gap()}" for one in value) + "]"
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


@st.composite
def names(draw: st.DrawFn, key: str) -> str:
    """A key with or without escapes that need not be there."""
    if key in ("model", "stream_options", "include_usage") and draw(st.booleans()):
        at = draw(st.integers(0, len(key) - 1))
        code = f"\\u{ord(key[at]):04x}" if draw(st.booleans()) else f"\\u{ord(key[at]):04X}"
        return f'"{key[:at]}{code}{key[at + 1 :]}"'
    return json.dumps(key, ensure_ascii=draw(st.booleans()))


@st.composite
def bodies(draw: st.DrawFn) -> str:
    """A request's body: an object with at least one model."""
    members = draw(
        st.lists(
            st.one_of(st.tuples(keys, values), st.tuples(st.just("stream_options"), option_values)),
            max_size=4,
        )
    )
    members.insert(draw(st.integers(0, len(members))), ("model", draw(tricky_text)))
    members.insert(draw(st.integers(0, len(members))), ("stream", True))
    return draw(blanks) + draw(texts(_Object(members))) + draw(blanks)


def read(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_Object)


def rewritten(text: str, *, usage: bool) -> str:
    stream = Stream({":path": "/v1/completions"})
    attempts(f"{'usage' if usage else '-'} h /v1 {SERVED}").send(stream, [text.encode()]).close()
    assert stream.request["content-length"] == str(len(stream.request_body))
    return stream.request_body.decode()


def with_model(members: _Object) -> list[tuple[str, Any]]:
    return [(key, SERVED if key == "model" else value) for key, value in members]


def with_usage(options: Any) -> Any:
    if not isinstance(options, _Object) or not options:
        return [("include_usage", True)]
    if all(key != "include_usage" for key, _ in options):
        return [("include_usage", True), *options]
    return [(key, True if key == "include_usage" else value) for key, value in options]


def asks_already(members: list[tuple[str, Any]]) -> bool:
    options = [value for key, value in members if key == "stream_options"][-1:]
    return any(isinstance(one, _Object) and dict(one).get("include_usage") is True for one in options)


@settings(max_examples=300)
@given(bodies())
def test_every_top_level_model_is_the_targets_and_nothing_else_changes(text: str) -> None:
    assert read(rewritten(text, usage=False)) == with_model(read(text))


@settings(max_examples=300)
@given(bodies())
def test_usage_is_asked_for_and_nothing_else_changes(text: str) -> None:
    want = with_model(read(text))
    if asks_already(want):
        pass
    elif any(key == "stream_options" for key, _ in want):
        want = [(key, with_usage(value) if key == "stream_options" else value) for key, value in want]
    else:
        want = [("stream_options", [("include_usage", True)]), *want]
    assert read(rewritten(text, usage=True)) == want


@settings(max_examples=100)
@given(bodies(), st.booleans())
def test_a_second_attempt_changes_nothing_more(text: str, usage: bool) -> None:
    once = rewritten(text, usage=usage)
    assert rewritten(once, usage=usage) == once
