"""What each deployment holds of the fleet's quotas, and what that leaves to its pools. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pointsman.api import FleetSettings, ObjectKey
from pointsman.placement import Pool
from pointsman_autoscaler.loop.quotas import Quotas
from pointsman_autoscaler.view import Flavour, View


@dataclass(slots=True)
class _Share:
    """Of one deployment, by pool: what a replica takes, those that are there or asked for, and decided on."""

    takes: dict[str, tuple[str, int]] = field(default_factory=dict)
    there: Mapping[str, int] = field(default_factory=dict)
    decided: Mapping[str, int] = field(default_factory=dict)

    def accelerators(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for pool, (accelerator, each) in self.takes.items():
            found[accelerator] += each * max(self.there.get(pool, 0), self.decided.get(pool, 0))
        return found


class Shares:
    def __init__(self, fleet: FleetSettings) -> None:
        stated = {one.name: one.quota for one in fleet.accelerators if one.quota is not None}
        self._quotas = Quotas(stated)
        self._shares: dict[ObjectKey, _Share] = {}

    @property
    def are_none(self) -> bool:
        """Whether the fleet has no quota at all."""
        return self._quotas.is_empty

    def settle(self, key: ObjectKey, pools: Sequence[Pool], there: Mapping[str, int]) -> None:
        """How many replicas of each pool there are, or are asked for; without pools it holds nothing."""
        if not pools:
            self._shares.pop(key, None)
            self._quotas.hold(key, {})
            return
        share = self._shares.setdefault(key, _Share())
        share.takes = {pool.name: (pool.accelerator, pool.accelerators_per_replica) for pool in pools}
        share.there = there
        self._quotas.hold(key, share.accelerators())

    def claim(
        self, key: ObjectKey, replicas: Mapping[str, int], *, is_done: bool = True
    ) -> Mapping[str, int]:
        """What was decided now, until the next decision, as far as its pools have room for it together; where
        it is not done, it is held from nobody.
        """
        share = self._shares.get(key)
        if share is None:
            return replicas
        fitting = self._fitting(key, share, replicas)
        share.decided = fitting if is_done else {}
        self._quotas.hold(key, share.accelerators())
        return fitting

    def _fitting(self, key: ObjectKey, share: _Share, replicas: Mapping[str, int]) -> Mapping[str, int]:
        """Pools that are preferred grow first, in what is left when all keep what is there."""
        found = dict(replicas)
        for accelerator in {name for name, _ in share.takes.values()}:
            left = self._quotas.left(key, accelerator)
            pools = [
                (pool, each)
                for pool, (name, each) in share.takes.items()
                if name == accelerator and pool in found and each
            ]
            if left is None:
                continue
            kept = {pool: min(found[pool], share.there.get(pool, 0)) for pool, _ in pools}
            free = left - sum(kept[pool] * each for pool, each in pools)
            for pool, each in pools:
                more = min(found[pool] - kept[pool], max(0, free) // each)
                found[pool] = kept[pool] + more
                free -= more * each
        return found

    def shared(self, key: ObjectKey, view: View) -> View:
        share = self._shares.get(key)
        if share is None:
            return view
        flavours = {name: self._within(key, share, one) for name, one in view.flavours.items()}
        return replace(view, flavours=flavours)

    def _within(self, key: ObjectKey, share: _Share, flavour: Flavour) -> Flavour:
        accelerator, each = share.takes.get(flavour.name, ("", 0))
        left = self._quotas.left(key, accelerator) if each else None
        if left is None:
            return flavour
        # Other pools of its own take from it, too.
        others = sum(
            other_each * max(share.there.get(pool, 0), share.decided.get(pool, 0))
            for pool, (other, other_each) in share.takes.items()
            if other == accelerator and pool != flavour.name
        )
        most = min(flavour.maximum, max(0, left - others) // each)
        return replace(flavour, maximum=most, minimum=min(flavour.minimum, most))
