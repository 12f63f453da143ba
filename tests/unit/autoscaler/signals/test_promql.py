"""Questions hold whatever names hold, and answers are put together by scrape."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.api import ObjectKey
from pointsman_autoscaler.signals.page import engine_sample
from pointsman_autoscaler.signals.promql import engines, gateways, looks, quoted, scrapes


def series(name: str, values: list[list[Any]], **labels: str) -> dict[str, Any]:
    return {"metric": {"__name__": name, **labels}, "values": values}


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a", '"a"'),
        ('a"b', r'"a\"b"'),
        ("a\\b", r'"a\\b"'),
        ("a\nb", r'"a\nb"'),
        ('"} or up{x="', r'"\"} or up{x=\""'),
    ],
)
def test_a_value_ends_no_string(text: str, want: str) -> None:
    assert quoted(text) == want


def test_questions_name_one_deployment() -> None:
    key = ObjectKey("chat", "qwen3.5")
    assert 'namespace="chat",pointsman_dev_deployment="qwen3.5"}[120s]' in engines(key, 120)
    # A dot of a name is no wildcard.
    assert r'target=~"chat/qwen3\\.5|"' in gateways(key, 120)


def test_a_scrape_is_a_look_with_its_own_time() -> None:
    found = scrapes(
        [
            series("pointsman_engine_requests_running", [[10, "2"], [25, "3"]], pod="a"),
            series("pointsman_engine_requests_waiting", [[10, "1"], [25, "NaN"]], pod="a"),
            series("pointsman_engine_requests_running", [[12, "5"]], pod="b"),
            series("pointsman_engine_requests_running", [[12, "5"]]),
        ],
        "pod",
    )
    assert sorted(found) == ["a", "b"]
    first, second = (engine_sample(time, found["a"][time]) for time in sorted(found["a"]))
    assert first is not None
    assert second is not None
    assert (first.at_seconds, first.running, first.waiting) == (10.0, 2.0, 1.0)
    assert (second.at_seconds, second.running, second.waiting) == (25.0, 3.0, None)


def test_scrapes_of_several_servers_are_looks_at_all_of_them() -> None:
    up = "pointsman_gateway_envoy_up"
    found = scrapes(
        [
            series(up, [[1, "1"], [16, "1"], [31, "1"]], instance="x"),
            series(up, [[9, "1"], [24, "1"], [39, "1"]], instance="y"),
        ],
        "instance",
    )
    assert [(time, sorted(servers)) for time, servers in looks(found)] == [
        (9.0, ["x", "y"]),
        (24.0, ["x", "y"]),
        (39.0, ["x", "y"]),
    ]


def test_a_server_that_missed_a_scrape_is_missing_in_that_look() -> None:
    up = "pointsman_gateway_envoy_up"
    found = scrapes(
        [
            series(up, [[1, "1"], [16, "1"], [31, "1"], [46, "1"]], instance="x"),
            series(up, [[9, "1"], [39, "1"]], instance="y"),
        ],
        "instance",
    )
    assert [sorted(servers) for _, servers in looks(found)] == [["x"], ["x", "y"], ["x"], ["x", "y"]]


def test_nothing_is_no_look() -> None:
    assert looks(scrapes([], "instance")) == []


NO_MATRIX: list[Any] = [
    [{"metric": {"pod": "a"}}],
    [{"metric": {"pod": "a"}, "values": [["x", "y"]]}],
    [3],
]


@pytest.mark.parametrize("answer", NO_MATRIX)
def test_what_is_no_matrix_is_an_error(answer: Any) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        scrapes(answer, "pod")
