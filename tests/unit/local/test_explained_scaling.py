"""The last decision on replicas is explained in its own sentence, where it is ours."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.local.display.explanation import explain_deployment
from pointsman.local.display.explanation_text import in_words
from tests.support.builders import deployment


def told(mode: str | None, **scaling: Any) -> list[str]:
    spec = {} if mode is None else {"scaling": {"mode": mode, "maxReplicas": 3}}
    found = deployment("m", spec=spec)
    status = type(found.status).model_validate({"scaling": scaling} if scaling else {})
    found = found.model_copy(update={"status": status})
    return in_words(explain_deployment(found, [], []), live=True).splitlines()


def test_a_decision_is_a_sentence_with_its_split() -> None:
    lines = told(
        "active",
        state="MetricsBlind",
        forReplicas=3,
        since="2026-11-22T12:00:00Z",
        pools=[{"name": "spot", "replicas": 2}, {"name": "reserved", "replicas": 1}],
        reason="3 replicas keep ttft p95 at 700 ms of 800 ms",
        message="Prometheus does not answer",
    )
    at = lines.index("Scaling")
    assert lines[at + 1 : at + 4] == [
        "  3 replicas since 2026-11-22T12:00:00Z (2 in pool spot, 1 in pool reserved)",
        "  3 replicas keep ttft p95 at 700 ms of 800 ms",
        "  Prometheus does not answer",
    ]


def test_what_was_decided_before_follows_the_newest_first() -> None:
    lines = told(
        "active",
        state="Active",
        forReplicas=3,
        since="2026-11-22T12:20:00Z",
        reason="3 replicas because",
        history=[
            {"since": "2026-11-22T12:10:00Z", "forReplicas": 2, "state": "MetricsBlind", "reason": "silence"},
            {"since": "2026-11-22T12:00:00Z", "forReplicas": 1, "state": "Active", "reason": "1 because"},
        ],
    )
    at = lines.index("Scaling")
    assert lines[at + 3 : at + 8] == [
        "  before:",
        "    2 replicas since 2026-11-22T12:10:00Z (MetricsBlind)",
        "      silence",
        "    1 replica since 2026-11-22T12:00:00Z",
        "      1 because",
    ]


def test_where_nothing_was_decided_yet_that_is_said() -> None:
    assert "  nothing was decided yet" in told("active")


@pytest.mark.parametrize("mode", [None, "off"])
def test_where_somebody_else_scales_nothing_is(mode: str | None) -> None:
    assert "Scaling" not in told(mode, state="Active", forReplicas=3)
