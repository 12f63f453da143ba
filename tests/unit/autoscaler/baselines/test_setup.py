"""How a count becomes replicas of flavours, and what a replica is taken to do."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from pointsman_autoscaler.baselines.setup import Setup, asked, unchanged
from pointsman_autoscaler.baselines.static import Static
from pointsman_autoscaler.view import Flavour, View
from tests.support.baseline_views import flavour, settings, setup, view

ORDERLY = (flavour("a", 1.0, maximum=2), flavour("b", 2.0, maximum=3), flavour("c", 3.0))


@dataclass(frozen=True)
class Case:
    count: float
    want: dict[str, int]
    flavours: Sequence[Flavour] = ORDERLY
    of: Setup = field(default_factory=setup)


CASES = {
    "the cheapest first": Case(1, {"a": 1, "b": 0, "c": 0}),
    "the next when it is full": Case(6, {"a": 2, "b": 3, "c": 1}),
    "never below the deployment's minimum": Case(0, {"a": 1, "b": 0, "c": 0}),
    "never above its maximum": Case(50, {"a": 2, "b": 3, "c": 5}, of=setup(maximum=10)),
    "zero where that is allowed": Case(0, {"a": 0, "b": 0, "c": 0}, of=setup(minimum=2, idle=300)),
    "the minimum as soon as it is not zero": Case(1, {"a": 2, "b": 0, "c": 0}, of=setup(minimum=2, idle=300)),
    "each flavour's minimum": Case(
        2, {"a": 1, "b": 0, "c": 1}, (flavour("a", 1.0), flavour("b", 2.0), flavour("c", 3.0, minimum=1))
    ),
    "on demand before spot": Case(
        2, {"spot": 1, "steady": 1}, (flavour("spot", 1.0, spot=True), flavour("steady", 4.0, maximum=1))
    ),
    "no more than there is": Case(9, {"a": 2}, ORDERLY[:1]),
    "a fraction is one more": Case(1.2, {"a": 2, "b": 0, "c": 0}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_place(case: Case) -> None:
    assert case.of.place(case.count, view(*case.flavours)) == case.want


def test_an_order_that_was_chosen_goes_first() -> None:
    chosen = Setup(settings(), order=("c", "b"))
    assert chosen.place(2, view(*ORDERLY)) == {"a": 0, "b": 0, "c": 2}


def test_flavours_that_miss_the_bounds_by_themselves_go_last() -> None:
    slow = flavour("slow", 0.1)
    assert slow.law is not None
    slow = replace(slow, law=replace(slow.law, fixed=0.2))
    assert setup().place(1, view(slow, flavour("fast", 9.0))) == {"slow": 0, "fast": 1}


def test_price_is_compared_by_what_is_served() -> None:
    """A little cheaper with a twentieth of the cache."""
    large, small = flavour("large", 4.0), flavour("small", 3.9, cache_tokens=20_000)
    assert setup().place(1, view(small, large)) == {"small": 0, "large": 1}


def test_without_a_law_the_slots_are_what_runs() -> None:
    profile = setup().profile(flavour(law=None, slots=7))
    assert (profile.concurrency, profile.requests_per_second, profile.fits) == (7.0, None, True)


def test_a_cache_of_unknown_size_does_not_limit() -> None:
    assert setup().profile(flavour(cache_tokens=0)).concurrency >= setup().profile(flavour()).concurrency


def test_what_is_asked_counts_only_flavours_that_exist() -> None:
    seen = view(flavour("a", maximum=3), asked={"a": 5, "gone": 4})
    assert asked(seen) == 5
    assert unchanged(seen, setup()) == {"a": 3}


def test_static() -> None:
    seen = view(*ORDERLY)
    assert Static(setup(minimum=2)).decide(seen) == {"a": 2, "b": 0, "c": 0}
    assert Static(setup(), 4).decide(seen) == {"a": 2, "b": 2, "c": 0}
    assert Static(setup(minimum=0), 0).decide(seen) == {"a": 1, "b": 0, "c": 0}


def test_a_view_without_flavours_asks_for_nothing() -> None:
    assert setup().place(3, View(0.0, {}, (), (), {})) == {}
