"""Conditions that do not flap: the transition time is that of the last flip, and nothing else moves by
itself. Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pointsman.api.meta import Condition, ConditionStatus

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


@dataclass(frozen=True)
class Verdict:
    """What is true now of one concern. Messages are stable: no counters, no times, nothing that passes."""

    type: str
    status: ConditionStatus
    reason: str
    message: str = ""

    @property
    def is_good(self) -> bool:
        return self.status is ConditionStatus.TRUE

    @property
    def is_bad(self) -> bool:
        return self.status is ConditionStatus.FALSE


def conditions(
    verdicts: Iterable[Verdict], former: Sequence[Condition], generation: int, now: str
) -> tuple[Condition, ...]:
    """The conditions in the order of the verdicts; `now` is RFC 3339 and used for those that flipped."""
    before = {condition.type: condition for condition in former}
    return tuple(
        Condition(
            type=verdict.type,
            status=verdict.status,
            reason=verdict.reason,
            message=verdict.message[:_LONGEST],
            observed_generation=generation,
            last_transition_time=_since(before.get(verdict.type), verdict.status, now),
        )
        for verdict in verdicts
    )


# The API's own bound is far above what anyone reads.
_LONGEST = 1024


def _since(former: Condition | None, status: ConditionStatus, now: str) -> str:
    if former is not None and former.status == status and former.last_transition_time:
        return former.last_transition_time
    return now
