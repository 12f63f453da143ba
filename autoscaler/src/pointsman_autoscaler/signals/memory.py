"""What was seen of one model before now, and what that comes to: a view, or blindness. Pure.

A look that failed leaves no sample. Only when the last samples of all replicas are old is there no view.
"""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from pointsman_autoscaler.signals.page import TargetLook, histogram
from pointsman_autoscaler.signals.startups import Startups
from pointsman_autoscaler.signals.totals import Totals
from pointsman_autoscaler.signals.watched import Blind, Replica, Watched
from pointsman_autoscaler.view import EngineSample, GatewaySample, Pod, View

_KEPT_SECONDS = 660.0
"""Ten minutes and some: of a replica they are about 100 kB."""
_APART_SECONDS = 14.0
"""Samples that are kept lie so far apart, but for the newest: looks may come more often."""


@dataclass(frozen=True, slots=True)
class Patience:
    """`stale_seconds` is the age at which a sample no longer counts: four looks, or two scrapes of a
    Prometheus that scrapes each 30 s. A replica that has been ready for less than `unread_seconds` need not
    have been read yet.
    """

    stale_seconds: float = 60.0
    unread_seconds: float = 30.0


PATIENCE = Patience()


class Memory:
    def __init__(self, patience: Patience = PATIENCE) -> None:
        self._patience = patience
        self._engines: dict[str, deque[EngineSample]] = {}
        self._gateways: deque[GatewaySample] = deque()
        self._totals = Totals()
        self._arrived = 0.0
        self._startups: dict[str, Startups] = {}
        self._started: set[str] = set()

    def saw_engine(self, replica: str, sample: EngineSample) -> None:
        """One look at one replica. Samples come in the order of their times; others are passed over."""
        kept = self._engines.setdefault(replica, deque())
        if kept and sample.at_seconds <= kept[-1].at_seconds:
            return
        if len(kept) > 1 and kept[-1].at_seconds - kept[-2].at_seconds < _APART_SECONDS:
            kept.pop()
        kept.append(sample)
        while sample.at_seconds - kept[0].at_seconds > _KEPT_SECONDS:
            kept.popleft()

    def saw_gateways(
        self, at_seconds: float, looks: Mapping[str, TargetLook | None], there: Collection[str]
    ) -> None:
        """One look at all gateways, by their names; None is one that answered and has nothing of the model.

        Of `there`, those that did not answer are missing: what is in flight is then not known, and what they
        counted comes with their next answer.
        """
        if self._gateways and at_seconds <= self._gateways[-1].at_seconds:
            return
        self._totals.keep(there)
        found = {name: look or TargetLook() for name, look in looks.items()}
        for name, look in found.items():
            self._totals.take(name, {TargetLook.ATTEMPTS: 0.0, TargetLook.FAILED: 0.0, **look.counters})
        sums = self._totals.sums
        active = sum(look.active for look in found.values())
        if found:
            # What has arrived is what has ended and what has not; those in flight at a gateway that goes are
            # no reason to count down.
            self._arrived = max(self._arrived, sums[TargetLook.ATTEMPTS] + active)
        is_whole = bool(found) and set(there) <= found.keys()
        held = [look.held for look in found.values() if look.held is not None]
        named = (TargetLook.ATTEMPTS, TargetLook.FAILED, TargetLook.SUM)
        sample = GatewaySample(
            at_seconds=at_seconds,
            requests_total=self._arrived if is_whole else None,
            in_flight=active if is_whole else None,
            held=sum(held) if held else None,
            failed_total=sums.get(TargetLook.FAILED) if is_whole else None,
            ttft=histogram(
                {edge: count for edge, count in sums.items() if edge not in named},
                sums.get(TargetLook.SUM),
            ),
        )
        kept = self._gateways
        if len(kept) > 1 and kept[-1].at_seconds - kept[-2].at_seconds < _APART_SECONDS:
            kept.pop()
        kept.append(sample)
        while at_seconds - kept[0].at_seconds > _KEPT_SECONDS:
            kept.popleft()

    def view(self, watched: Watched, now_seconds: float) -> View | Blind:
        """What all that was seen comes to now."""
        self._follow(watched)
        if self._is_blind(watched, now_seconds):
            return Blind("no replica's metrics could be read for a while; see that agents answer")
        flavours = {
            name: replace(flavour, startup=self._startups[name].startup(flavour.startup))
            if name in self._startups
            else flavour
            for name, flavour in watched.flavours.items()
        }
        pods = [self._pod(one) for one in sorted(watched.replicas, key=lambda one: one.name)]
        return View(now_seconds, flavours, pods, tuple(self._gateways), watched.asked)

    def _is_blind(self, watched: Watched, now_seconds: float) -> bool:
        """Whether replicas that have answered must be serving, or trying to, and none says how much.

        Where none is ready any more, what gateways say of arrivals is something to go by.
        """
        since = now_seconds - self._patience.unread_seconds
        there = [
            one
            for one in watched.replicas
            if not one.is_draining and one.ready_seconds is not None and one.ready_seconds <= since
        ]
        if not there or any(self._is_fresh(one, now_seconds) for one in watched.replicas):
            return False
        return any(one.is_ready for one in there) or not self._hears_gateways(now_seconds)

    def _hears_gateways(self, now_seconds: float) -> bool:
        heard = [one.at_seconds for one in self._gateways if one.in_flight is not None]
        return bool(heard) and now_seconds - heard[-1] <= self._patience.stale_seconds

    def _is_fresh(self, replica: Replica, now_seconds: float) -> bool:
        kept = self._engines.get(replica.name)
        return kept is not None and abs(now_seconds - kept[-1].at_seconds) <= self._patience.stale_seconds

    def _follow(self, watched: Watched) -> None:
        """Forget replicas that are gone, and learn from those that have started."""
        names = {one.name for one in watched.replicas}
        for gone in self._engines.keys() - names:
            del self._engines[gone]
        for one in watched.replicas:
            if one.ready_seconds is not None and one.name not in self._started:
                self._startups.setdefault(one.flavour, Startups()).observe(
                    one.ready_seconds - one.created_seconds
                )
                self._started.add(one.name)
        self._started &= names

    def _pod(self, replica: Replica) -> Pod:
        return Pod(
            name=replica.name,
            flavour=replica.flavour,
            created_seconds=replica.created_seconds,
            ready_seconds=replica.ready_seconds,
            is_ready=replica.is_ready,
            is_draining=replica.is_draining,
            samples=tuple(self._engines.get(replica.name, ())),
        )
