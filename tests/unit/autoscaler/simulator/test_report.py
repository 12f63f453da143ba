"""What plots show of numbers: whole replicas, the worst of what lies too near, what nothing beats."""

from __future__ import annotations

import re

import numpy as np

from pointsman_autoscaler.simulator.report.plot import Point, Series, lines, scatter, stacked


def heights(svg: str) -> list[float]:
    points = re.findall(r'<polyline class="c0" points="([^"]*)"', svg)
    return [float(point.split(",")[1]) for line in points for point in line.split()]


def test_a_miss_of_minutes_is_seen_in_weeks() -> None:
    hours = np.arange(10_080) / 60
    shares = np.full(10_080, 100.0)
    shares[5_000:5_005] = 40.0
    drawn = heights(lines("met", hours, [Series("x", shares, 0)], "%", most=100.0, shows=np.fmin))
    assert len(drawn) <= 720
    assert len(set(drawn)) == 2, "the misses are drawn as well as the hits"


def test_replicas_are_counted_in_whole_ones_and_hours_in_threes() -> None:
    svg = stacked(
        "replicas", np.arange(1440) / 60, [Series("x", np.full(1440, 2.0), 0)], "replicas", most=2.0
    )
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert texts[:3] == ["0", "1", "2"]
    assert texts[3:6] == ["0 h", "3 h", "6 h"]


def test_what_nothing_beats_is_joined_and_defaults_lie_on_top() -> None:
    points = [
        Point("a", "a", 10.0, 90.0, 0, is_default=True),
        Point("a", "a 2", 10.0, 90.0, 0),
        Point("b", "b", 12.0, 80.0, 1),
        Point("b", "b 2", 20.0, 99.0, 1),
    ]
    svg = scatter("costs", points, "USD", "%", promised=95.0)
    front = re.findall(r'class="front" points="([^"]*)"', svg)[0].split()
    assert len(front) == 3, "two outcomes, and the corner between them"
    circles = re.findall(r'<circle class="c0 (dot|ring)"', svg)
    assert circles == ["ring", "dot"]
    assert "<title>b 2: 20.00 USD, 99.00 %</title>" in svg
