"""The one who knows the future: what they pay at least, and a policy that does what they would do."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from pointsman_autoscaler.simulator.arrivals import Arrivals
from pointsman_autoscaler.simulator.bound import Counts, Floats, Offer, needed, one_flavour, several_flavours
from pointsman_autoscaler.simulator.clipping import initial
from pointsman_autoscaler.simulator.losses import outages
from pointsman_autoscaler.simulator.run import Shares
from pointsman_autoscaler.simulator.scenario import Scenario, SimulatedFlavour
from pointsman_autoscaler.simulator.scoring import Truths
from pointsman_autoscaler.simulator.steady import Carried, carried
from pointsman_autoscaler.simulator.workloads import Lengths
from pointsman_autoscaler.view import View

WINDOW_SECONDS = 300.0
"""As attainment is counted."""


@dataclass(frozen=True, slots=True, eq=False)
class Mix:
    """Requests of one kind: their lengths, and in which hours of the day they come (from, to)."""

    lengths: Lengths
    hours: tuple[float, float] = (0.0, 24.0)


@dataclass(frozen=True, slots=True, eq=False)
class Foresight:
    """The load of each window, what each flavour carries of it, and when none of it is to be had."""

    requests_per_second: Floats
    carried: Mapping[str, Sequence[Carried]]
    """By flavour, for each window."""
    outages: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    """Of spot, from when until when, in seconds from the beginning; empty where losses are not foreseen."""


Abilities = Mapping[str, Sequence[Carried]]
"""What each flavour carries of each kind of requests."""


def abilities(scenario: Scenario, mixes: Sequence[Mix] = (), progress: Shares | None = None) -> Abilities:
    """`mixes` where the requests of some hours differ; otherwise all of them are one kind. Takes seconds, and
    is the same for each load of these kinds.
    """
    kinds = _kinds(scenario, mixes)
    found: dict[str, list[Carried]] = {each.flavour.name: [] for each in scenario.flavours}
    asked = [(each, mix) for each in scenario.flavours for mix in kinds]
    for done, (each, mix) in enumerate(asked):
        told = partial(_tell, progress, done, len(asked)) if progress is not None else None
        found[each.flavour.name].append(carried(each, mix.lengths, scenario.settings, progress=told))
    return found


def _tell(progress: Shares, done: int, every: int, share: float) -> None:
    progress((done + share) / every)


def foresee(
    scenario: Scenario,
    mixes: Sequence[Mix] = (),
    measured: Abilities | None = None,
    seed: int | None = None,
    progress: Shares | None = None,
) -> Foresight:
    """`measured` where the abilities are known; `seed` of the simulation whose losses are foreseen.
    `progress` is told how many abilities are measured, which is nearly all of the work.
    """
    kinds = _kinds(scenario, mixes)
    windows = max(1, math.ceil(scenario.arrivals.span_seconds / WINDOW_SECONDS))
    found_by_name = measured or abilities(scenario, mixes, progress)
    places = [_kind(window * WINDOW_SECONDS / 3600 % 24, kinds) for window in range(windows)]
    return Foresight(
        _rates(scenario.arrivals, windows),
        {name: [found[place] for place in places] for name, found in found_by_name.items()},
        {} if seed is None else outages(scenario, seed),
    )


def least_dollars(scenario: Scenario, foresight: Foresight) -> float:
    """Nobody serves every window for less, even who knows when spot is taken back (where `foresight` does).
    Raises ValueError where no replicas serve them.
    """
    # The measured rates are that exact, and more than four replicas even out bursts that much better.
    rates, slack = foresight.requests_per_second.copy(), 1.05
    # A window that the end cuts off need not be paid for as a whole one: it counts as empty.
    cut_off = int(scenario.arrivals.span_seconds // WINDOW_SECONDS)
    rates[cut_off:] = 0.0
    offers = []
    for each in scenario.flavours:
        most = np.array([found.most_of_one for found in foresight.carried[each.flavour.name]]) * slack
        with np.errstate(divide="ignore"):
            share = np.where(rates > 0, most / np.maximum(rates, 1e-12), np.inf)
        share[_without(foresight, each.flavour.name, len(rates)) & (rates > 0)] = 0.0
        offers.append(
            Offer(
                each.flavour.price_per_hour, each.startup.quantiles.p50_seconds, each.flavour.maximum, share
            )
        )
    # Each at best: of the flavour of which one replica serves most.
    best = np.max([offer.share for offer in offers], axis=0)
    allowed = min(scenario.settings.maximum, sum(offer.maximum for offer in offers))
    if (best * allowed < 1 - 1e-9).any():
        raise ValueError("no replicas that are allowed serve the load")
    if len(offers) == 1:
        whole = np.maximum(needed(offers[0].share), _least(scenario, len(rates)))
        whole[cut_off:] = 0
        least = one_flavour(whole, WINDOW_SECONDS, offers[0].price_per_hour, offers[0].startup_seconds)
    else:
        least = several_flavours(offers, WINDOW_SECONDS)
    return max(0.0, least - _begun(scenario))


def _begun(scenario: Scenario) -> float:
    """Dollars for starts that nobody pays: of the replicas that are there at the beginning."""
    there = initial(scenario)
    return sum(
        there[each.flavour.name] * each.flavour.price_per_hour * each.startup.quantiles.p50_seconds / 3600
        for each in scenario.flavours
    )


class Clairvoyant:
    """Has the replicas for each window ready when it begins, and no more: of the flavour that is cheapest for
    the whole load. Where losses of spot are foreseen, that may be spot; then the cheapest of the others is
    ready whenever spot is not. `headroom` is for what one knows only on the average: bursts within a window.
    """

    interval_seconds = 15.0

    def __init__(self, scenario: Scenario, foresight: Foresight, headroom: float = 0.0) -> None:
        self.name = "clairvoyant"
        self._begins = scenario.begins_seconds
        steady = [each for each in scenario.flavours if each.spot is None]
        foreseen = [
            each for each in scenario.flavours if each.spot is None or each.flavour.name in foresight.outages
        ]
        self._flavour = _cheapest(foreseen or scenario.flavours, foresight)
        self._substitute = _cheapest(steady or scenario.flavours, foresight)
        self._outages = [*foresight.outages.get(self._flavour.flavour.name, ())]
        if self._flavour is not self._substitute:
            # Those that are there at the beginning stay until spot is.
            self._outages.append((0.0, 0.0))
        least = _least(scenario, len(foresight.requests_per_second))
        self._needs, self._substitutes = (
            np.maximum(_needs(each, foresight, headroom), least) for each in (self._flavour, self._substitute)
        )

    def decide(self, view: View) -> dict[str, int]:
        """What is needed until a start that is made now would serve; what would be started again within a
        start's time is kept.
        """
        now = view.now_seconds - self._begins
        wanted = dict.fromkeys(view.flavours, 0)
        if self._is_out(now):
            wanted[self._substitute.flavour.name] = self._most(self._substitutes, now, self._substitute)
        wanted[self._flavour.flavour.name] = self._most(self._needs, now, self._flavour)
        return wanted

    def _most(self, needs: Counts, now: float, flavour: SimulatedFlavour) -> int:
        first, last = int(now // WINDOW_SECONDS), int((now + self._ahead(flavour)) // WINDOW_SECONDS)
        return int(needs[first : last + 1].max(initial=0))

    def _ahead(self, flavour: SimulatedFlavour) -> float:
        startup = flavour.startup.quantiles
        return startup.p90_seconds + startup.p50_seconds + self.interval_seconds

    def _is_out(self, now: float) -> bool:
        """Whether spot is lost within the time of a start, or not yet back after a loss."""
        back = self._ahead(self._flavour)
        ahead = self._ahead(self._substitute)
        return any(begins - ahead <= now < ends + back for begins, ends in self._outages)


def _needs(flavour: SimulatedFlavour, foresight: Foresight, headroom: float) -> Counts:
    rates = foresight.requests_per_second * (1 + headroom)
    found = foresight.carried[flavour.flavour.name]
    return np.array([one.replicas_for(rate) for one, rate in zip(found, rates, strict=True)])


def _without(foresight: Foresight, flavour: str, windows: int) -> Truths:
    """Windows in all of which there is none of this flavour."""
    begins = np.arange(windows) * WINDOW_SECONDS
    found = np.zeros(windows, dtype=np.bool_)
    for first, last in foresight.outages.get(flavour, ()):
        found |= (begins >= first) & (begins + WINDOW_SECONDS <= last)
    return found


def _least(scenario: Scenario, windows: int) -> Counts:
    idle = scenario.settings.idle_after_seconds is not None
    return np.full(windows, 0 if idle else scenario.settings.minimum)


def _cheapest(flavours: Sequence[SimulatedFlavour], foresight: Foresight) -> SimulatedFlavour:
    def price(each: SimulatedFlavour) -> float:
        most = np.mean([found.most_of_one for found in foresight.carried[each.flavour.name]])
        return each.flavour.price_per_hour / float(most) if most > 0 else math.inf

    return min(flavours, key=price)


def _kinds(scenario: Scenario, mixes: Sequence[Mix]) -> Sequence[Mix]:
    return mixes or (Mix(Lengths(scenario.arrivals.input_tokens, scenario.arrivals.output_tokens)),)


def _kind(hour: float, kinds: Sequence[Mix]) -> int:
    return next((place for place, mix in enumerate(kinds) if mix.hours[0] <= hour < mix.hours[1]), 0)


def _rates(arrivals: Arrivals, windows: int) -> Floats:
    place = np.minimum((arrivals.at_seconds / WINDOW_SECONDS).astype(np.int64), windows - 1)
    return np.bincount(place, minlength=windows) / WINDOW_SECONDS
