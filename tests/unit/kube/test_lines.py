"""JSON lines out of parts."""

import pytest

from pointsman.kube.lines import JsonLines


def test_a_line_is_given_when_it_is_whole() -> None:
    lines = JsonLines()
    assert list(lines.feed(b'{"a":')) == []
    assert lines.is_within_a_line
    assert list(lines.feed(b' 1}\n{"b": 2}\n{"c"')) == [{"a": 1}, {"b": 2}]
    assert list(lines.feed(b": 3}")) == []
    assert list(lines.feed(b"\n\n")) == [{"c": 3}]
    assert not lines.is_within_a_line


def test_what_is_not_json_is_said() -> None:
    with pytest.raises(ValueError, match="unexpected character"):
        list(JsonLines().feed(b"<html>\n"))
