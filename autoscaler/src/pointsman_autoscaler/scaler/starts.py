"""Which flavours cannot be relied upon just now: late to start, or taken away; and how often that happens."""

from collections.abc import Mapping, Sequence

from pointsman_autoscaler.decision.supply import stuck_after_seconds
from pointsman_autoscaler.view import Flavour, Pod

# What did not come in time is asked for again after ten minutes, and after twice as long each time it fails
# again, up to an hour: capacity that is gone is usually gone for a while.
_BARRED_SECONDS, _LONGEST_BARRED_SECONDS = 600.0, 3600.0
# Before anything is known: four and a half losses of a domain a day, as much evidence as half a day. Zones of
# AWS lost V100 between two and seven times a day in 2022 (skypilot-org/spot-traces).
_PRIOR_LOSSES, _PRIOR_DAYS = 2.25, 0.5
# Evidence fades over two weeks.
_MEMORY_DAYS = 14.0
_SECONDS_OF_DAY = 86_400.0


class _Record:
    """Of one flavour."""

    __slots__ = ("barred_until", "days", "failures", "is_failing", "losses")

    def __init__(self) -> None:
        self.barred_until = 0.0
        self.failures = 0
        self.is_failing = False
        self.losses = _PRIOR_LOSSES
        self.days = _PRIOR_DAYS

    def fail(self, now_seconds: float) -> None:
        seconds = min(_BARRED_SECONDS * 2.0**self.failures, _LONGEST_BARRED_SECONDS)
        self.barred_until = now_seconds + seconds
        self.failures = min(self.failures + 1, 8)


class Starts:
    """Looks at pods from one view to the next; keeps no more than the names of those that are there."""

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}
        self._ready: dict[str, str] = {}
        self._asked: dict[str, int] = {}
        self._now: float | None = None

    def observe(
        self,
        now_seconds: float,
        flavours: Mapping[str, Flavour],
        pods: Sequence[Pod],
        asked: Mapping[str, int],
    ) -> None:
        """`asked` is what was asked for before this look."""
        if self._now is not None and now_seconds < self._now:
            for record in self._records.values():
                record.barred_until = min(record.barred_until, now_seconds + _BARRED_SECONDS)
        elapsed = max(0.0, now_seconds - self._now) if self._now is not None else 0.0
        self._now = now_seconds
        staying = [pod for pod in pods if not pod.is_draining]
        ready = {pod.name: pod.flavour for pod in staying if pod.is_ready}
        held = set(self._ready.values())
        for name, flavour in flavours.items():
            record = self._records.setdefault(name, _Record())
            # Only what is there can be lost: days without any of it are no evidence.
            if name in held:
                self._age(record, elapsed)
            if any(at == name and pod not in self._ready for pod, at in ready.items()):
                record.failures, record.is_failing = 0, False
            mine = [pod for pod in staying if pod.flavour == name]
            if flavour.is_spot:
                gone = sum(at == name and pod not in ready for pod, at in self._ready.items())
                kept = sum(pod.is_ready for pod in mine)
                # Fewer than asked for, without having asked for fewer: they were taken.
                if gone and kept < asked.get(name, 0) and not self._fell(name, asked):
                    record.losses += 1.0
                    record.fail(now_seconds)
            starting = [pod for pod in mine if pod.ready_seconds is None]
            is_stuck = bool(starting) and any(
                now_seconds - pod.created_seconds > stuck_after_seconds(flavour) for pod in starting
            )
            if is_stuck and not record.is_failing:
                record.fail(now_seconds)
            record.is_failing = is_stuck
        for name in [name for name in self._records if name not in flavours]:
            del self._records[name]
        self._ready = ready
        self._asked = dict(asked)

    def is_barred(self, flavour: str) -> bool:
        record = self._records.get(flavour)
        return record is not None and self._now is not None and self._now < record.barred_until

    def losses_per_day(self, flavour: str) -> float:
        record = self._records.get(flavour)
        return record.losses / record.days if record is not None else _PRIOR_LOSSES / _PRIOR_DAYS

    def _fell(self, name: str, asked: Mapping[str, int]) -> bool:
        return asked.get(name, 0) < self._asked.get(name, 0)

    def _age(self, record: _Record, elapsed_seconds: float) -> None:
        days = elapsed_seconds / _SECONDS_OF_DAY
        record.days += days
        if record.days > _MEMORY_DAYS:
            record.losses *= _MEMORY_DAYS / record.days
            record.days = _MEMORY_DAYS
