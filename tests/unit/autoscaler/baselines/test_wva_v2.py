"""llm-d's second saturation scaler, held to the vectors of its own tests, and as a policy."""

import pytest

from pointsman_autoscaler.baselines.token_capacity import Limits, Shape, TokenCapacity, derived
from pointsman_autoscaler.baselines.variants import Replica
from pointsman_autoscaler.baselines.wva_v2 import Balance, Offer, WvaV2, grown, shrunk
from pointsman_autoscaler.view import Pod, View
from tests.support.baseline_views import NOW, flavour, gateway, pod, pods, sample, setup, view

# llm-d/llm-d-workload-variant-autoscaler (2026-08), internal/engines/analyzers/saturation_v2:
# analyzer_test.go. The engine there has a cache of 16,000 tokens and no limits: zero batched tokens.
UNSTATED = Limits(16_000, 256, 0)


def capacity(
    learned: TokenCapacity, used: float, queue: float, shape: Shape, limits: Limits = UNSTATED
) -> float:
    return learned.of_replica("h100", Replica(used / limits.cache_tokens, queue), limits, shape)


def test_memory_bounds_where_compute_is_unknown() -> None:
    assert capacity(TokenCapacity(), 5000, 0, Shape(100, 50)) == 12_800
    assert capacity(TokenCapacity(), 5000, 0, Shape()) == 12_800


@pytest.mark.parametrize(("used", "queue", "want"), [(8000, 6, 8000), (4000, 10, 4000)])
def test_compute_bounds_where_requests_wait(used: float, queue: float, want: float) -> None:
    assert capacity(TokenCapacity(), used, queue, Shape(100, 50)) == want


def test_what_was_observed_is_used_when_the_queue_is_gone() -> None:
    learned = TokenCapacity()
    capacity(learned, 8000, 6, Shape(100, 50))
    assert capacity(learned, 6000, 2, Shape(100, 50)) == 8000


def test_answers_of_another_length_have_observations_of_their_own() -> None:
    learned = TokenCapacity()
    capacity(learned, 8000, 6, Shape(100, 50))
    assert capacity(learned, 6000, 2, Shape(100, 600)) == 12_800


def test_the_last_ten_observations_count() -> None:
    learned = TokenCapacity()
    for used in (1000, *[8000] * 10):
        capacity(learned, used, 6, Shape(100, 50))
    assert capacity(learned, 1000, 0, Shape(100, 50)) == pytest.approx(8000)


# estimateCapacityFromParams.
DERIVED = {
    "should compute k2 from B, S, I, O": (4096, 256, 500, 100, 140_800),
    "should cap N_steady at MaxNumSeqs": (8192, 64, 100, 200, 12_800),
    "should return 0 when avgOutput is 0": (8192, 256, 500, 0, None),
    "should return 0 when params is nil": (0, 256, 500, 100, None),
}


@pytest.mark.parametrize(
    ("batched", "slots", "prompt", "answer", "want"), DERIVED.values(), ids=DERIVED.keys()
)
def test_derived(batched: int, slots: int, prompt: float, answer: float, want: float | None) -> None:
    assert derived(Limits(1_000_000, slots, batched), Shape(prompt, answer)) == want


def test_a_flavour_without_replicas() -> None:
    """'Zero-replica variants': what it was, else its limits within its memory, else a step's tokens."""
    shape, limits = Shape(500, 100), Limits(30_000, 256, 8192)
    assert TokenCapacity().of_flavour("new", (), Limits(1_000_000, 256, 8192), shape) == 140_800
    assert TokenCapacity().of_flavour("new", (), limits, shape) == 24_000
    assert TokenCapacity().of_flavour("new", (), limits, Shape()) == 8192
    learned = TokenCapacity()
    learned.of_flavour("old", (Replica(0.5, 9),), limits, shape)
    assert learned.of_flavour("old", (), limits, shape) == 15_000


@pytest.mark.parametrize(
    ("each", "want"), [((42,), 42), ((1, 3, 5), 3), ((1, 3, 5, 7), 4), ((5, 1, 3), 3)], ids=str
)
def test_median_of_replicas(each: tuple[int, ...], want: float) -> None:
    """'median helper'; each replica has observed so many tokens."""
    seen = tuple(Replica(used / 1000, 9) for used in each)
    assert TokenCapacity().of_flavour("one", seen, Limits(1000, 256, 0), Shape(1, 1)) == pytest.approx(want)


# internal/engines/saturation/engine_v2_threshold_test.go, applyUniversalThreshold.
THRESHOLDS = {
    "scales up when demand exceeds the threshold": (10_000, 10_000, 10_000, 10_000 / 0.85 - 10_000, 0),
    "scales down when demand is well below": (5000, 10_000, 10_000, 0, 10_000 - 5000 / 0.70),
    "hysteresis band": (8000, 10_000, 10_000, 0, 0),
    "exactly at scale up": (8500, 10_000, 10_000, 0, 0),
    "exactly at scale down": (7000, 10_000, 10_000, 0, 0),
    "pending supply counts for growth alone": (8000, 7000, 10_000, 0, 0),
    "no anticipated supply": (10_000, 10_000, 0, 10_000 / 0.85, 0),
}


@pytest.mark.parametrize(
    ("demand", "supply", "anticipated", "required", "spare"), THRESHOLDS.values(), ids=THRESHOLDS.keys()
)
def test_thresholds(demand: float, supply: float, anticipated: float, required: float, spare: float) -> None:
    balance = Balance(demand, supply, anticipated)
    assert balance.required(0.85) == pytest.approx(required, abs=1e-9)
    assert balance.spare(0.70) == pytest.approx(spare, abs=1e-9)


# internal/engines/pipeline/cost_aware_optimizer_test.go.
def test_growth_takes_the_cheapest_capacity() -> None:
    offers = [Offer("cheap", 5, 10_000, 2), Offer("expensive", 15, 20_000, 1)]
    assert grown(5000, offers) == {"cheap": 3, "expensive": 1}
    assert grown(25_000, [Offer("cheap", 5, 10_000, 1), Offer("mid", 10, 15_000, 1)]) == {
        "cheap": 4,
        "mid": 1,
    }


def test_growth_skips_what_has_no_capacity_and_what_is_full() -> None:
    assert grown(5000, [Offer("none", 1, 0, 0), Offer("normal", 10, 10_000, 1)]) == {"none": 0, "normal": 2}
    full = [Offer("cheap", 5, 10_000, 2, maximum=3), Offer("mid", 10, 15_000, 0)]
    assert grown(30_000, full) == {"cheap": 3, "mid": 2}


SHRUNK = {
    "should remove from most expensive variant first": (
        15_000, {"cheap": (5, 10_000, 3), "expensive": (15, 20_000, 2)}, {"cheap": 2, "expensive": 2},
    ),
    "should protect cheapest variant at 1 replica": (
        30_000, {"expensive": (15, 20_000, 1), "cheap": (5, 10_000, 1)}, {"expensive": 0, "cheap": 1},
    ),
    "should remove cheap variant when expensive replica capacity exceeds spare": (
        15_000, {"expensive": (15, 20_000, 1), "cheap": (5, 10_000, 1)}, {"expensive": 1, "cheap": 0},
    ),
    "should cascade scale-down across variants": (
        50_000,
        {"expensive": (15, 20_000, 2), "mid": (10, 15_000, 2), "cheap": (5, 10_000, 2)},
        {"expensive": 0, "mid": 2, "cheap": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spare", "of", "want"), SHRUNK.values(), ids=SHRUNK.keys())
def test_shrinking(spare: float, of: dict[str, tuple[float, float, int]], want: dict[str, int]) -> None:
    assert shrunk(spare, [Offer(name, *numbers) for name, numbers in of.items()]) == want


def busy(name: str, cache: float, *, waiting: float = 0.0, now: float = NOW, of: str = "h100") -> Pod:
    """One that served 60 requests of 500 and 100 tokens in the last five minutes."""
    totals = {"requests_total": 60.0, "prompt_tokens_total": 30_000.0, "output_tokens_total": 6000.0}
    begun = dict.fromkeys(totals, 0.0)
    return pod(
        name,
        sample(now - 290, 10, 0.0, cache, **begun),
        sample(now, 10, waiting, cache, **totals),
        of=of,
        now=now,
    )


def seen(*of: Pod, asked: int, now: float = NOW, held: float = 0.0, cache_tokens: int = 100_000) -> View:
    """A cache of 100,000 tokens: 80,000 of them are the capacity of a replica."""
    known = flavour(cache_tokens=cache_tokens)
    return view(known, pods=of, gateway=gateway(now, in_flight=10, held=held), asked=asked, now=now)


def test_in_one_step_to_what_is_wanted() -> None:
    """Two with 80,000 in use and 100 waiting of 600: 220,000 / 0.85 needs four of 80,000."""
    now = seen(busy("a", 0.8, waiting=50), busy("b", 0.8, waiting=50), asked=2)
    policy = WvaV2(setup())
    policy.capacity.queue_threshold = 1000
    assert policy.decide(now) == {"h100": 4}


def test_pending_replicas_are_supply() -> None:
    policy = WvaV2(setup())
    policy.capacity.queue_threshold = 1000
    now = seen(busy("a", 0.8, waiting=50), busy("b", 0.8, waiting=50), asked=4)
    assert policy.decide(now) == {"h100": 4}


def test_requests_held_at_the_gateway_are_demand() -> None:
    assert WvaV2(setup()).decide(seen(busy("a", 0.5), asked=1)) == {"h100": 1}
    assert WvaV2(setup()).decide(seen(busy("a", 0.5), asked=1, held=100)) == {"h100": 2}


def test_fewer_after_the_window() -> None:
    policy, counts = WvaV2(setup()), []
    policy.decide(seen(busy("a", 0.6), busy("b", 0.6), busy("c", 0.6), asked=3))
    for later in (15, 239, 240):
        now = NOW + later
        replicas = [busy(name, 0.2, now=now) for name in "abc"]
        counts.append(policy.decide(seen(*replicas, asked=3, now=now))["h100"])
    assert counts == [3, 3, 2]


def test_flavours_are_added_by_price_for_capacity_and_removed_by_price() -> None:
    known = (flavour("big", 8.0, cache_tokens=400_000), flavour("small", 5.0, cache_tokens=100_000))
    now = view(
        *known, pods=[busy("a", 0.9, of="small")], gateway=gateway(in_flight=5), asked={"big": 0, "small": 1}
    )
    assert WvaV2(setup()).decide(now) == {"big": 1, "small": 1}


def test_without_metrics_it_stays() -> None:
    assert WvaV2(setup()).decide(seen(*pods(3, None), asked=3)) == {"h100": 3}
    assert WvaV2(setup()).decide(view(asked=0)) == {"h100": 1}
