"""llm-d's workload variant autoscaler, second saturation analyzer: tokens wanted and tokens that fit.

llm-d/llm-d-workload-variant-autoscaler (2026-08): internal/engines/analyzers/saturation_v2, the thresholds of
internal/engines/saturation and the optimizer of internal/engines/pipeline/cost_aware_optimizer.go.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from pointsman_autoscaler.baselines.interval import interval
from pointsman_autoscaler.baselines.pass_through import PassThrough
from pointsman_autoscaler.baselines.readings import number, recent
from pointsman_autoscaler.baselines.setup import Setup, unchanged
from pointsman_autoscaler.baselines.token_capacity import Limits, Shape, TokenCapacity
from pointsman_autoscaler.baselines.variants import PEAK_SECONDS, Variant, variants
from pointsman_autoscaler.view import Flavour, View

# Rates of token counters are taken over five minutes by the collector's queries.
_SHAPE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Balance:
    """Tokens: what is wanted, what is there, and what will be there when pending replicas are."""

    demand: float
    supply: float
    anticipated: float

    def required(self, scale_up: float) -> float:
        return max(0.0, self.demand / scale_up - self.anticipated)

    def spare(self, scale_down: float) -> float:
        return max(0.0, self.supply - self.demand / scale_down)


@dataclass(frozen=True, slots=True)
class Offer:
    """A variant to add to or take from."""

    name: str
    cost: float
    capacity: float
    current: int
    minimum: int = 0
    maximum: int = 1_000_000


def grown(required: float, offers: Sequence[Offer]) -> dict[str, int]:
    """The cheapest capacity first, as many as are needed or fit."""
    result = {offer.name: offer.current for offer in offers}
    able = [offer for offer in offers if offer.capacity > 0]
    for offer in sorted(able, key=lambda offer: (offer.cost / offer.capacity, offer.name)):
        if required <= 0:
            break
        more = min(math.ceil(required / offer.capacity), max(0, offer.maximum - offer.current))
        result[offer.name] += more
        required -= more * offer.capacity
    return result


def shrunk(spare: float, offers: Sequence[Offer]) -> dict[str, int]:
    """The dearest first, whole replicas only; one of the cheapest stays where no other does."""
    result = {offer.name: offer.current for offer in offers}
    able = sorted(offers, key=lambda offer: (-offer.cost, offer.capacity, offer.name))
    for offer in able:
        if offer.capacity <= 0:
            continue
        less = max(0, min(math.floor(spare / offer.capacity), offer.current - offer.minimum))
        if offer is able[-1] and less >= offer.current and not any(result[other.name] for other in able[:-1]):
            less = offer.current - 1
        result[offer.name] -= max(0, less)
        spare -= max(0, less) * offer.capacity
    return result


@dataclass
class WvaV2:
    """The knob is the use at which it grows; it shrinks below `band` less, the distance of the defaults."""

    setup: Setup
    scale_up: float = 0.85
    band: float = 0.15
    batched_tokens: int = 8192
    capacity: TokenCapacity = field(default_factory=TokenCapacity)
    interval_seconds: float = 15.0
    name: str = "wva"

    def __post_init__(self) -> None:
        self._carrier = PassThrough(self.setup)
        self._shape = Shape()

    def decide(self, view: View) -> dict[str, int]:
        asleep = self._carrier.asleep(view)
        if asleep is not None:
            return asleep
        seen = variants(view)
        if not any(variant.replicas for variant in seen.values()):
            return unchanged(view, self.setup)
        past = interval(view, _SHAPE_SECONDS)
        if past.input_tokens is not None and past.output_tokens is not None:
            self._shape = Shape(past.input_tokens, past.output_tokens)
        offers = [self._offer(variant, view.flavours[name]) for name, variant in seen.items()]
        balance = self._balance(list(seen.values()), offers, view)
        required = balance.required(self.scale_up)
        if required > 0:
            wanted = grown(required, offers)
        else:
            wanted = shrunk(balance.spare(self.scale_up - self.band), offers)
        return self._carrier.carry_out(self._carrier.bounded(wanted, view), view)

    def _offer(self, variant: Variant, flavour: Flavour) -> Offer:
        capacity = self.capacity.of_flavour(
            variant.name, variant.replicas, self._limits(flavour), self._shape
        )
        return Offer(variant.name, variant.cost, capacity, variant.current, flavour.minimum, flavour.maximum)

    def _limits(self, flavour: Flavour) -> Limits:
        # Engines say what their cache holds; where a flavour does not, every slot has room for a request.
        held = self._shape.total or float(self.setup.traffic.total_tokens)
        return Limits(flavour.cache_tokens or flavour.slots * held, flavour.slots, self.batched_tokens)

    def _balance(self, seen: Sequence[Variant], offers: Sequence[Offer], view: View) -> Balance:
        demand = supply = anticipated = 0.0
        for variant, offer in zip(seen, offers, strict=True):
            cache = self._limits(view.flavours[variant.name]).cache_tokens
            for replica in variant.replicas:
                demand += replica.cache_usage * cache + replica.waiting * self._shape.total
            supply += len(variant.replicas) * offer.capacity
            anticipated += (len(variant.replicas) + variant.pending) * offer.capacity
        held = (number(sample.held) for sample in recent(view.gateway, view.now_seconds, PEAK_SECONDS))
        queued = max((value for value in held if value is not None), default=0.0)
        return Balance(demand + queued * self._shape.total, supply, anticipated)
