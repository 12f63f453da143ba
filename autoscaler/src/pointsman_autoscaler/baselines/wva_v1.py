"""llm-d's workload variant autoscaler, first saturation analyzer: one replica more where it gets tight.

llm-d/llm-d-workload-variant-autoscaler, internal/saturationv1/analyzer.go.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from pointsman_autoscaler.baselines.pass_through import PassThrough
from pointsman_autoscaler.baselines.setup import Setup, unchanged
from pointsman_autoscaler.baselines.variants import Replica, Variant, variants
from pointsman_autoscaler.view import Flavour, View


@dataclass(frozen=True, slots=True)
class Thresholds:
    """A replica is saturated at either threshold; spare is what others have below them, on the mean."""

    cache: float = 0.80
    queue: float = 5.0
    spare_cache: float = 0.10
    spare_queue: float = 3.0


@dataclass(frozen=True, slots=True)
class Saturation:
    """`unsaturated` replicas and what they have to spare on the mean; nothing where there are none."""

    replicas: int
    unsaturated: int
    spare_cache: float
    spare_queue: float
    should_grow: bool
    may_shrink: bool


def saturation(replicas: Sequence[Replica], thresholds: Thresholds) -> Saturation:
    if not replicas:
        return Saturation(0, 0, 0.0, 0.0, should_grow=False, may_shrink=False)
    free = [one for one in replicas if one.cache_usage < thresholds.cache and one.waiting < thresholds.queue]
    count = len(free)
    cache = sum(thresholds.cache - one.cache_usage for one in free) / count if free else 0.0
    queue = sum(thresholds.queue - one.waiting for one in free) / count if free else 0.0
    may_shrink = False
    if count >= 2:
        # The load of those that have room, on one fewer of them.
        more = count / (count - 1)
        may_shrink = (
            thresholds.cache - (thresholds.cache - cache) * more >= thresholds.spare_cache
            and thresholds.queue - (thresholds.queue - queue) * more >= thresholds.spare_queue
        )
    should_grow = cache < thresholds.spare_cache or queue < thresholds.spare_queue
    return Saturation(len(replicas), count, cache, queue, should_grow, may_shrink)


def targets(
    found: Saturation, seen: Sequence[Variant], wanted: Mapping[str, int], room: Collection[str] | None = None
) -> dict[str, int]:
    """Replicas of each variant: the cheapest grows, the dearest shrinks, none while one of them is changing.

    `wanted` is what was decided last; a variant that is not in it was never decided on. Only those in `room`
    may change, or any of them.
    """
    changing = any(
        variant.pending > 0 or wanted.get(variant.name, 0) not in (0, variant.current) for variant in seen
    )
    if changing:
        return {variant.name: wanted.get(variant.name, 0) or variant.current for variant in seen}
    result = {variant.name: variant.current for variant in seen}
    free = [variant for variant in seen if room is None or variant.name in room]
    if found.should_grow and free:
        result[min(free, key=lambda variant: (variant.cost, variant.name)).name] += 1
    elif found.may_shrink:
        several = [variant for variant in free if variant.current > 1]
        if several:
            result[max(several, key=lambda variant: (variant.cost, variant.name)).name] -= 1
    return result


@dataclass
class WvaV1:
    """The knob is the cache that must be to spare."""

    setup: Setup
    spare_cache: float = 0.10
    thresholds: Thresholds = Thresholds()
    interval_seconds: float = 15.0
    name: str = "wva1"

    def __post_init__(self) -> None:
        self._carrier = PassThrough(self.setup)
        self._wanted: dict[str, int] = {}

    def decide(self, view: View) -> dict[str, int]:
        asleep = self._carrier.asleep(view)
        if asleep is not None:
            self._wanted = {}
            return asleep
        seen = list(variants(view).values())
        limits = replace(self.thresholds, spare_cache=self.spare_cache)
        found = saturation([replica for variant in seen for replica in variant.replicas], limits)
        if not found.replicas:
            return unchanged(view, self.setup)
        room = [variant.name for variant in seen if _has_room(variant, view.flavours[variant.name], found)]
        wanted = targets(found, seen, self._wanted, room)
        self._wanted = self._carrier.bounded(wanted, view)
        return self._carrier.carry_out(self._wanted, view)


def _has_room(variant: Variant, flavour: Flavour, found: Saturation) -> bool:
    if found.should_grow:
        return variant.current < flavour.maximum
    return variant.current > flavour.minimum
