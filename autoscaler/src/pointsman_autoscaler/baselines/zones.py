"""Which domains spot replicas are put in: those that lost none lately (SpotHedge). Pure.

A domain that takes a replica back is left alone until one becomes ready there; when fewer than two are left,
all are tried again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pointsman_autoscaler.view import Flavour, View

_FEWEST = 2


@dataclass
class Zones:
    """`preempted` are the domains that took a replica back."""

    preempted: set[str] = field(default_factory=set)
    _ready: dict[str, str] = field(default_factory=dict)
    _asked: dict[str, int] = field(default_factory=dict)

    def observe(self, view: View) -> None:
        spot = {name: flavour for name, flavour in view.flavours.items() if flavour.is_spot}
        there = {pod.name for pod in view.pods if not pod.is_draining}
        for pod, flavour in self._ready.items():
            # One that went although as many were asked for as before was taken back.
            kept = view.asked.get(flavour, 0) >= self._asked.get(flavour, 0)
            if pod not in there and flavour in spot and kept:
                self.preempted.add(domain_of(spot[flavour]))
        ready = {
            pod.name: pod.flavour
            for pod in view.pods
            if pod.is_ready and not pod.is_draining and pod.flavour in spot
        }
        for pod, flavour in ready.items():
            if pod not in self._ready:
                self.preempted.discard(domain_of(spot[flavour]))
        if len({domain_of(flavour) for flavour in spot.values()} - self.preempted) < _FEWEST:
            self.preempted.clear()
        self._ready, self._asked = ready, dict(view.asked)

    def fill(self, placed: dict[str, int], flavours: Sequence[Flavour], count: int) -> None:
        """Up to `count` of these flavours, evenly over domains that are not avoided, then over the others."""
        left = count - sum(placed[flavour.name] for flavour in flavours)
        for avoided in (False, True):
            usable = [one for one in flavours if (domain_of(one) in self.preempted) is avoided]
            while left > 0:
                open_ = [one for one in usable if placed[one.name] < one.maximum]
                if not open_:
                    break
                placed[min(open_, key=lambda one: placed[one.name]).name] += 1
                left -= 1


def domain_of(flavour: Flavour) -> str:
    return flavour.domain or flavour.name
