"""How large requests are, where engines count them and where they only count tokens."""

from __future__ import annotations

import pytest

from pointsman_autoscaler.scaler.engines import Interval
from pointsman_autoscaler.scaler.sight import tokens
from pointsman_autoscaler.scaler.traffic import Traffic
from pointsman_autoscaler.view import EngineSample, Flavour, GatewaySample, Histogram, Pod, View

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


def test_while_more_and_more_run_those_that_end_do_not_make_requests_look_large() -> None:
    """Each look two more requests begin than at the look before; answers take twenty looks."""
    traffic, takes = Traffic(), 20
    begun = [look * (look + 1) for look in range(2 * LOOKS)]

    def sample(look: int) -> EngineSample:
        ended = begun[max(0, look - takes)]
        written = sum(begun[max(0, look - ago)] for ago in range(takes)) * WROTE / takes
        first = Histogram((1.0, float("inf")), (begun[look], begun[look]), 0.0)
        return EngineSample(
            look * SECONDS,
            prompt_tokens_total=begun[look] * READ,
            output_tokens_total=written,
            requests_total=ended,
            ttft=first,
        )

    for look in range(1, 2 * LOOKS):
        view = View(look * SECONDS, {}, (), (), {})
        traffic.observe(view, [Interval("cpu", sample(look - 1), sample(look))])
    found = traffic.workload(2.0)
    assert found.input_tokens == pytest.approx(READ, rel=0.05)
    assert found.output_tokens == pytest.approx(WROTE, rel=0.1)


def prompts_of(traffic: Traffic, sizes: list[float]) -> list[float]:
    """What is believed after each look, at each of which so large prompts came."""
    done, read, found = 0.0, 0.0, []
    before = EngineSample(0.0, prompt_tokens_total=0.0, output_tokens_total=0.0, requests_total=0.0)
    for look, size in enumerate(sizes, 1):
        done, read = done + 10 * PER_LOOK, read + 10 * PER_LOOK * size
        after = EngineSample(
            look * SECONDS, prompt_tokens_total=read, output_tokens_total=done * WROTE, requests_total=done
        )
        traffic.observe(View(look * SECONDS, {}, (), (), {}), [Interval("cpu", before, after)])
        found.append(traffic.input_tokens)
        before = after
    return found


def test_what_may_be_chance_moves_sizes_little() -> None:
    """Five minutes of larger requests, five of smaller ones, as chance has it for a few thousand of them."""
    sizes = [READ * (1.06 if look // 20 % 2 else 0.94) for look in range(480)]
    after_an_hour = prompts_of(Traffic(), sizes)[240:]
    assert max(after_an_hour) < 1.02 * min(after_an_hour)


def test_another_mix_is_believed_within_minutes() -> None:
    sizes = [READ] * 240 + [3 * READ] * 40
    assert prompts_of(Traffic(), sizes)[-1] == pytest.approx(3 * READ, rel=0.1)


def test_replicas_that_are_ready_since_the_last_scrape_hold_nothing_yet() -> None:
    flavour = Flavour("cpu", 1.0, cache_tokens=1000)
    old = Pod("old", "cpu", 0.0, 0.0, True, samples=(EngineSample(990.0, waiting=5.0, cache_usage=0.9),))
    fresh = Pod("fresh", "cpu", 900.0, 980.0, True)
    silent = Pod("silent", "cpu", 0.0, 0.0, True)
    alone = tokens(View(1000.0, {"cpu": flavour}, (old,), (), {}), {"cpu": flavour}, READ)
    for others, times in (((fresh,), 1), ((silent,), 2)):
        view = View(1000.0, {"cpu": flavour}, (old, *others), (), {})
        assert tokens(view, {"cpu": flavour}, READ) == times * alone
