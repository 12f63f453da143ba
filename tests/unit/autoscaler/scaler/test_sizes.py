"""How large requests are, where engines count them and where they only count tokens."""

from __future__ import annotations

import pytest

from pointsman_autoscaler.scaler.engines import Interval
from pointsman_autoscaler.scaler.traffic import Traffic
from pointsman_autoscaler.view import EngineSample, GatewaySample, View

LOOKS = 40
SECONDS = 15.0
PER_LOOK, READ, WROTE = 30, 50.0, 8.0


def learned(*, counts: bool, gateway: bool, late: int = 0) -> Traffic:
    """After some looks at two replicas, whose tokens come `late` looks after their requests."""
    traffic = Traffic()

    def sample(look: int) -> EngineSample:
        done = max(0, look - late) * PER_LOOK / 2
        return EngineSample(
            look * SECONDS,
            prompt_tokens_total=done * READ,
            output_tokens_total=done * WROTE,
            requests_total=done if counts else None,
        )

    for look in range(1, LOOKS):
        arrived = GatewaySample(look * SECONDS, requests_total=float(look * PER_LOOK))
        view = View(look * SECONDS, {}, (), (arrived,) if gateway else (), {})
        traffic.observe(view, [Interval("cpu", sample(look - 1), sample(look))] * 2)
    return traffic


@pytest.mark.parametrize(
    ("counts", "gateway", "late"),
    [(True, True, 0), (True, False, 0), (False, True, 0), (False, True, 2)],
    ids=["both count", "engines count", "the gateway counts", "tokens come later"],
)
def test_sizes_are_learned_from_whoever_counts_requests(counts: bool, gateway: bool, late: int) -> None:
    found = learned(counts=counts, gateway=gateway, late=late).workload(2.0)
    assert found.input_tokens == pytest.approx(READ, rel=0.1)
    assert found.output_tokens == pytest.approx(WROTE, rel=0.1)


def test_where_nobody_counts_requests_they_stay_what_is_usual() -> None:
    assert learned(counts=False, gateway=False).workload(2.0).output_tokens == pytest.approx(211)
