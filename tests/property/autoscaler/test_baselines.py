"""Whatever peers see, they answer within the bounds, with whole numbers, and the same when asked again."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman_autoscaler.baselines.registry import registry
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.view import EngineSample, Flavour, GatewaySample, Histogram, Pod, View
from tests.support.baseline_views import BOUNDS, LAW, NOW

NUMBERS = st.one_of(
    st.none(), st.floats(0, 1e6), st.sampled_from([0.0, 1.0, 1e-9, 1e12, math.nan, math.inf, -1.0])
)
TIMES = st.floats(-700, 20)
HISTOGRAMS = st.one_of(
    st.none(),
    st.builds(
        lambda count, mean: Histogram((0.1, math.inf), (count / 2, count), count * mean),
        st.floats(0, 1e6),
        st.one_of(st.floats(0, 100), st.just(math.nan)),
    ),
)


@st.composite
def engines(draw: st.DrawFn, now: float) -> EngineSample:
    return EngineSample(
        now + draw(TIMES),
        draw(NUMBERS),
        draw(NUMBERS),
        draw(st.one_of(st.none(), st.floats(0, 1), st.just(math.nan))),
        draw(NUMBERS),
        draw(NUMBERS),
        draw(NUMBERS),
        ttft=draw(HISTOGRAMS),
        itl=draw(HISTOGRAMS),
    )


@st.composite
def gateways(draw: st.DrawFn, now: float) -> GatewaySample:
    return GatewaySample(
        now + draw(TIMES), draw(NUMBERS), draw(NUMBERS), draw(NUMBERS), ttft=draw(HISTOGRAMS)
    )


@st.composite
def flavours(draw: st.DrawFn) -> dict[str, Flavour]:
    """One to three, with and without laws, full ones and empty ones."""
    names = draw(st.lists(st.sampled_from(["a", "b", "spot"]), min_size=1, unique=True))
    found = {}
    for name in names:
        minimum = draw(st.integers(0, 3))
        found[name] = Flavour(
            name,
            draw(st.floats(0.01, 100)),
            minimum,
            minimum + draw(st.sampled_from([0, 1, 5, 10_000])),
            is_spot=name == "spot",
            law=draw(st.sampled_from([LAW, None])),
            stages=draw(st.sampled_from([1, 2])),
            slots=draw(st.sampled_from([1, 4, 256])),
            cache_tokens=draw(st.sampled_from([0, 2000, 400_000])),
        )
    return found


@st.composite
def views(draw: st.DrawFn, known: dict[str, Flavour]) -> View:
    """Of a moment within an hour, the clock free to jump back; pods of a flavour that is gone as well."""
    now = NOW + draw(st.floats(0, 3600))
    pods = [
        Pod(
            f"pod-{index}",
            draw(st.sampled_from([*known, "gone"])),
            now - 900,
            now - 800,
            draw(st.booleans()),
            draw(st.booleans()),
            sorted(draw(st.lists(engines(now), max_size=3)), key=lambda sample: sample.at_seconds),
        )
        for index in range(draw(st.integers(0, 3)))
    ]
    seen = sorted(draw(st.lists(gateways(now), max_size=3)), key=lambda sample: sample.at_seconds)
    asked = {name: draw(st.integers(0, 60)) for name in known if draw(st.booleans())}
    return View(now, known, pods, seen, asked)


@st.composite
def stories(draw: st.DrawFn) -> tuple[ScalingSettings, list[View]]:
    minimum = draw(st.integers(0, 4))
    wanted = ScalingSettings(
        BOUNDS,
        minimum=minimum,
        maximum=max(1, minimum) + draw(st.sampled_from([0, 3, 1000])),
        idle_after_seconds=draw(st.sampled_from([None, 300.0])),
    )
    known = draw(flavours())
    return wanted, draw(st.lists(views(known), min_size=1, max_size=4))


@pytest.mark.parametrize("name", registry)
@given(story=stories(), chosen=st.integers(-1, 6))
@settings(max_examples=30, deadline=None)
def test_within_bounds_and_always_the_same(
    name: str, story: tuple[ScalingSettings, list[View]], chosen: int
) -> None:
    wanted, seen = story
    value = None if chosen < 0 else registry[name].values[chosen]
    one, other = registry[name].build(wanted, value), registry[name].build(wanted, value)
    for view in seen:
        answer = dict(one.decide(view))
        assert answer == dict(other.decide(view))
        assert set(answer) == set(view.flavours)
        for flavour, count in answer.items():
            assert type(count) is int
            assert view.flavours[flavour].minimum <= count <= view.flavours[flavour].maximum
        least = 0 if wanted.idle_after_seconds is not None else wanted.minimum
        room = sum(flavour.maximum for flavour in view.flavours.values())
        floors = sum(flavour.minimum for flavour in view.flavours.values())
        assert min(least, room) <= sum(answer.values()) <= max(wanted.maximum, floors)


# Those that are told of work at engines or at the gateway and have no schedule of their own to wait for.
BUSY = ("hpa", "hpa-cache", "keda", "kpa", "aibrix", "aibrix-cache", "wva1", "wva", "dynamo-load")


@pytest.mark.parametrize("name", BUSY)
@given(load=st.floats(1, 400), more=st.floats(1, 4), replicas=st.integers(1, 20))
@settings(max_examples=20, deadline=None)
def test_more_load_never_asks_for_fewer(name: str, load: float, more: float, replicas: int) -> None:
    """Twice the same replicas, the second time with more to do in each."""

    def count(busy: float) -> int:
        cache, waiting = min(1.0, busy / 400), max(0.0, busy - 200)
        samples = (
            EngineSample(NOW - 170, busy, waiting, cache, 0.0, 0.0, 0.0),
            EngineSample(NOW, busy, waiting, cache, 60_000.0, 12_000.0, 60.0),
        )
        pods = [Pod(f"{index}", "a", NOW - 900, NOW - 800, True, False, samples) for index in range(replicas)]
        doors = [GatewaySample(NOW, None, busy * replicas, 0.0)]
        known = {"a": Flavour("a", 1.0, law=LAW, slots=256, cache_tokens=400_000)}
        peer = registry[name].build(ScalingSettings(BOUNDS))
        return peer.decide(View(NOW, known, pods, doors, {"a": replicas}))["a"]

    assert count(load * more) >= count(load)
