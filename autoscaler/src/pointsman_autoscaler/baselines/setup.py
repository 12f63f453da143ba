"""What every peer is set up with, and how its count of replicas becomes replicas of flavours. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pointsman.placement.demand import CONVERSATION, Bound, Traffic
from pointsman_autoscaler.baselines.profile import Profile, profile_of
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.view import Flavour, View


@dataclass(frozen=True, slots=True)
class Setup:
    """`traffic` is the usual request that targets were measured with.

    A peer that cannot choose flavours fills them in `order` (names, all others after them). By default the
    order is that of a careful engineer: those that keep the bounds, on demand before spot, by price for what
    they serve.
    """

    settings: ScalingSettings
    traffic: Traffic = CONVERSATION
    order: tuple[str, ...] = ()

    @property
    def least(self) -> int:
        """Replicas that a running deployment has at least."""
        return max(1, self.settings.minimum)

    @property
    def may_be_zero(self) -> bool:
        return self.settings.idle_after_seconds is not None or self.settings.minimum == 0

    def profile(self, flavour: Flavour) -> Profile:
        return profile_of(flavour, self.settings.bounds, self.traffic)

    def flavours(self, view: View) -> tuple[Flavour, ...]:
        """In the order in which they are filled; flavours with no room for a replica come last."""
        return _ordered(tuple(view.flavours.values()), self.settings.bounds, self.traffic, self.order)

    def first(self, view: View) -> Flavour | None:
        """The flavour that targets and tables are made for."""
        ordered = self.flavours(view)
        return ordered[0] if ordered else None

    def bounded(self, count: float) -> int:
        """Within the deployment's minimum and maximum; zero only where that is allowed."""
        if count <= 0 and self.may_be_zero:
            return 0
        most = max(self.settings.maximum, self.settings.minimum)
        return math.ceil(min(max(count, self.least), most))

    def place(self, count: float, view: View) -> dict[str, int]:
        """So many replicas, each flavour within its own minimum and maximum."""
        placed = {name: min(flavour.minimum, flavour.maximum) for name, flavour in view.flavours.items()}
        left = self.bounded(count) - sum(placed.values())
        for flavour in self.flavours(view):
            more = max(0, min(left, flavour.maximum - placed[flavour.name]))
            placed[flavour.name] += more
            left -= more
        return placed


def asked(view: View) -> int:
    """Replicas that the flavours of the view are told to have, all together."""
    return sum(view.asked.get(name, 0) for name in view.flavours)


def unchanged(view: View, setup: Setup) -> dict[str, int]:
    """What is asked already, within all bounds: the answer of one who cannot see."""
    if not asked(view):
        return setup.place(0 if setup.may_be_zero else setup.least, view)
    return bounded(view.asked, view, setup, setup.flavours(view))


def bounded(
    wanted: Mapping[str, int], view: View, setup: Setup, preferred: Sequence[Flavour]
) -> dict[str, int]:
    """The split that is wanted, within the bounds of flavours and deployment.

    What is missing is added to the `preferred` flavours, what is too much taken from the last of them.
    """
    held = {
        name: min(max(wanted.get(name, 0), flavour.minimum), flavour.maximum)
        for name, flavour in view.flavours.items()
    }
    missing = setup.bounded(sum(held.values())) - sum(held.values())
    for flavour in preferred:
        more = max(0, min(missing, flavour.maximum - held[flavour.name]))
        held[flavour.name] += more
        missing -= more
    for flavour in reversed(preferred):
        less = max(0, min(-missing, held[flavour.name] - flavour.minimum))
        held[flavour.name] -= less
        missing += less
    return held


@lru_cache(maxsize=64)
def _ordered(
    flavours: tuple[Flavour, ...], bounds: tuple[Bound, ...], traffic: Traffic, order: tuple[str, ...]
) -> tuple[Flavour, ...]:
    def rank(flavour: Flavour) -> tuple[object, ...]:
        profile = profile_of(flavour, bounds, traffic)
        return (
            flavour.maximum <= 0,
            order.index(flavour.name) if flavour.name in order else len(order),
            not profile.fits,
            flavour.is_spot,
            flavour.price_per_hour / (profile.requests_per_second or 1.0),
            flavour.name,
        )

    return tuple(sorted(flavours, key=rank))
