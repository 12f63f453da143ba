"""A stream may arrive in parts of any size."""

import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from pointsman.kube.lines import JsonLines

documents = st.lists(st.dictionaries(st.text(), st.text() | st.integers()), max_size=5)


@given(documents=documents, cuts=st.lists(st.integers(0, 400), max_size=8), end=st.integers(0, 20))
def test_the_same_lines_come_out_however_the_stream_is_cut(
    documents: list[dict[str, object]], cuts: list[int], end: int
) -> None:
    stream = "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents).encode()
    # What lacks its end is never given, not even where it would be JSON.
    stream += b'{"half": "' + b"x" * end
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    lines = JsonLines()
    parts = [stream[start:stop] for start, stop in itertools.pairwise(places)]
    got = [line for part in parts for line in lines.feed(part)]
    assert got == documents
    assert lines.is_within_a_line
