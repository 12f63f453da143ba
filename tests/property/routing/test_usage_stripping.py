"""Usage is taken out of streams as whole events: wherever chunks end, and whatever an answer says."""

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.filter_host import Stream, answered, attempts

content = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["{", "}", "}}", "{{", 'data: {"choices":[],"usage":{}}', "\n\n", "data: ", '"choices":[]']
    ),
)
answers = st.builds(lambda text: {"choices": [{"index": 0, "delta": {"content": text}}]}, content)
others: st.SearchStrategy[Any] = st.one_of(
    answers,
    answers.map(lambda answer: {**answer, "usage": {"completion_tokens": 1}}),
    st.just({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}),
    st.just({"choices": [], "usage": None}),
    st.just({"error": {"message": "usage"}}),
)
USAGE = {"choices": [], "usage": {"prompt_tokens": 5, "details": {"cached_tokens": 1}}}
usages = st.just(USAGE)
separators = st.sampled_from([(",", ":"), (", ", ": ")])


@dataclass(frozen=True)
class Event:
    before: bytes
    line: bytes
    usage_alone: bool

    @property
    def text(self) -> bytes:
        return self.before + self.line


@st.composite
def streams(draw: st.DrawFn, events: st.SearchStrategy[Any]) -> list[Event]:
    """The events of a stream, written in one of the ways that engines write them."""
    end = draw(st.sampled_from([b"\n\n", b"\r\n\r\n"]))
    prefix = draw(st.sampled_from([b"data: ", b"data:"]))
    separator = draw(separators)
    made = []
    for one in draw(st.lists(events, max_size=6)):
        before = draw(st.sampled_from([b"", b"", b"event: message\n", b"id: 7\n", b": comment\n"]))
        line = prefix + json.dumps(one, separators=separator).encode() + end
        made.append(Event(before, line, one == USAGE))
    # An error at the beginning is another matter.
    begins = Event(b"", prefix + b'{"choices":[{"delta":{"role":"assistant"}}]}' + end, False)
    return [begins, *made, Event(b"", b"data: [DONE]" + end, False)]


def stripped(chunks: list[bytes]) -> bytes:
    stream = Stream({":path": "/v1/chat/completions"})
    attempt = attempts("usage h /v1 m").send(stream, [b'{"model":"m","stream":true}'])
    stream.response = {":status": "200", "content-type": "text/event-stream"}
    passed = answered(attempt, chunks)
    attempt.close()
    return b"".join(passed)


def cut(whole: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, len(whole), *(one % (len(whole) + 1) for one in cuts)})
    return [whole[first:last] for first, last in pairwise(at)]


chunk_ends = st.lists(st.integers(0, 10_000), max_size=8)


@settings(max_examples=200)
@given(streams(others), chunk_ends)
def test_streams_without_such_an_event_pass_unchanged(events: list[Event], cuts: list[int]) -> None:
    whole = b"".join(event.text for event in events)
    assert stripped(cut(whole, cuts)) == whole


@settings(max_examples=300)
@given(streams(st.one_of(others, usages)), chunk_ends)
def test_wherever_chunks_end_exactly_the_events_with_usage_alone_go(
    events: list[Event], cuts: list[int]
) -> None:
    want = [event.text for event in events if not event.usage_alone]
    assert stripped(cut(b"".join(event.text for event in events), cuts)) == b"".join(want)
