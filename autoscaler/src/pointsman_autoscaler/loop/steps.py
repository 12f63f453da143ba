"""What is to be written of one deployment: its replicas, `status.scaling`, an event; nothing where nothing
changed. Pure.

The split goes first, with the generation that the number makes: who finds the former generation knows that
the number was not written, whatever came between. A number that somebody else wrote stays for a while.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pointsman.api import ModelDeployment
from pointsman.api.modeldeployment_status import PastDecision, PoolReplicas, ScalingState, ScalingStatus
from pointsman.api.scaling import ScalingMode
from pointsman_autoscaler.signals.watched import Blind

MANAGER: Final = "pointsman-autoscaler"
PIN: Final = timedelta(minutes=30)
"""Long enough for whoever scales by hand to see what comes of it, and not so long that it is forgotten."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_HOLDING = (ScalingState.METRICS_BLIND, ScalingState.NOT_DECIDED)
_OURS = (ScalingState.ACTIVE, ScalingState.PINNED, *_HOLDING)
_ADVICE = "mode advise: what it would do is in status.scaling, and nothing is done"
_LONGEST_REASON = 4096
_PAST, _LONGEST_PAST_REASON = 5, 1024

PINNED_UNTIL: Final = "pointsman.dev/pinned-until"
"""An annotation: the number that runs stays until this time, whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a policy wants: replicas by pool, and why in one sentence."""

    replicas: Mapping[str, int]
    sentence: str = ""

    @property
    def total(self) -> int:
        return sum(self.replicas.values())


@dataclass(frozen=True, slots=True)
class Told:
    """An event."""

    reason: str
    message: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class Steps:
    """`scaling` is written before `replicas`; None is nothing to write."""

    scaling: Mapping[str, Any] | None = None
    replicas: int | None = None
    told: tuple[Told, ...] = ()

    @property
    def is_nothing(self) -> bool:
        return self.scaling is None and self.replicas is None


def steps(deployment: ModelDeployment, wrote: str, wanted: Wish | Blind, now: datetime) -> Steps:
    """`wrote` is the field manager that owns spec.replicas, "" where that is nobody."""
    former = deployment.status.scaling or ScalingStatus()
    there = deployment.spec.replicas
    if is_off(deployment):
        return (
            _written(deployment, former, _off(there, former), None, now) if lingers(deployment) else Steps()
        )
    if _advises(deployment):
        state = _blind(deployment, former, wanted) if isinstance(wanted, Blind) else _advising(wanted)
        return _written(deployment, former, state, None, now)
    try:
        pin = _annotated(deployment, former, now) or _pin(deployment, former, wrote, now)
    except ValueError as error:
        pin, wanted = None, Blind(str(error), ScalingState.NOT_DECIDED)
    if pin is not None:
        return _written(deployment, former, pin, None, now)
    if isinstance(wanted, Blind):
        return _written(deployment, former, _blind(deployment, former, wanted), None, now)
    active = _state(ScalingState.ACTIVE, wanted.total, _pools(wanted), wanted.sentence)
    return _written(deployment, former, active, wanted.total if wanted.total != there else None, now)


def is_off(deployment: ModelDeployment) -> bool:
    """Whether somebody else scales."""
    scaling = deployment.spec.scaling
    return scaling is None or scaling.mode is ScalingMode.OFF


def lingers(deployment: ModelDeployment) -> bool:
    """Whether the status says still that we scale, though somebody else does: what is written meanwhile is no
    number past us.
    """
    said = deployment.status.scaling
    return is_off(deployment) and said is not None and said.state not in ("", ScalingState.OFF)


def is_pinned(deployment: ModelDeployment, now: datetime) -> bool:
    """Whether somebody's number stays for now, as far as the status says."""
    said = deployment.status.scaling
    return (
        said is not None
        and said.state == ScalingState.PINNED
        and deployment.spec.replicas == said.for_replicas
        and now < _time(said.pinned_until)
    )


def _state(
    state: ScalingState,
    replicas: int,
    pools: tuple[PoolReplicas, ...],
    reason: str,
    message: str = "",
    until: str = "",
) -> ScalingStatus:
    return ScalingStatus(
        for_replicas=replicas,
        pools=pools,
        reason=reason[:_LONGEST_REASON],
        state=state,
        message=message,
        pinned_until=until,
    )


def _off(there: int, former: ScalingStatus) -> ScalingStatus:
    """Nothing moves between pools. Advice split nothing, and is no last word."""
    advised = former.state == ScalingState.ADVISING
    pools = () if advised else former.pools
    return _state(ScalingState.OFF, there if advised else former.for_replicas, pools, former.reason)


def _annotated(deployment: ModelDeployment, former: ScalingStatus, now: datetime) -> ScalingStatus | None:
    """The state while an annotation pins what runs. Raises ValueError, in a line, where it is no time."""
    text = deployment.metadata.annotations.get(PINNED_UNTIL)
    if text is None:
        return None
    until = _time(text)
    if until == _LONG_AGO:
        raise ValueError(
            f"annotation {PINNED_UNTIL} is no time; write one such as 2026-11-22T18:00:00Z, or remove it"
        )
    if now >= until:
        return None
    there = deployment.spec.replicas
    reason = f"annotation {PINNED_UNTIL} asks for {there} replicas to stay"
    # Without pinnedUntil: that is what is remembered of a write, and the annotation remembers itself.
    message = f"pinned at {there} by an annotation until {_text(until)}"
    return _state(ScalingState.PINNED, there, _pools_as_they_are(deployment, former), reason, message)


def _pools(wanted: Wish) -> tuple[PoolReplicas, ...]:
    return tuple(PoolReplicas(name=name, replicas=count) for name, count in sorted(wanted.replicas.items()))


def _advising(wanted: Wish) -> ScalingStatus:
    return _state(ScalingState.ADVISING, wanted.total, _pools(wanted), wanted.sentence, _ADVICE)


def _blind(deployment: ModelDeployment, former: ScalingStatus, blind: Blind) -> ScalingStatus:
    pools = _pools_as_they_are(deployment, former)
    return _state(blind.state, deployment.spec.replicas, pools, former.reason, blind.reason)


def _pools_as_they_are(deployment: ModelDeployment, former: ScalingStatus) -> tuple[PoolReplicas, ...]:
    """What runs stays split as it is: by the last word for this number, or as the operator says where there
    is none. Advice splits nothing.
    """
    there = deployment.spec.replicas
    if former.for_replicas == there and former.state != ScalingState.ADVISING:
        return former.pools
    if _advises(deployment):
        return ()
    now = deployment.status.pools
    is_whole = sum(pool.replicas for pool in now) == there
    return tuple(PoolReplicas(name=one.name, replicas=one.replicas) for one in now) if is_whole else ()


def _advises(deployment: ModelDeployment) -> bool:
    scaling = deployment.spec.scaling
    return scaling is not None and scaling.mode is ScalingMode.ADVISE


def _pin(
    deployment: ModelDeployment, former: ScalingStatus, wrote: str, now: datetime
) -> ScalingStatus | None:
    """The state while somebody else's number stays; None where the number is ours to choose."""
    there = deployment.spec.replicas
    if is_pinned(deployment, now):
        return former
    was_ours = former.state in _OURS
    is_written = deployment.metadata.generation >= former.observed_generation
    if not was_ours or not is_written or former.for_replicas == there or wrote == MANAGER:
        return None
    until = _text(now + PIN)
    who = wrote or "somebody"
    reason = f"{who} wrote {there} replicas"
    return _state(ScalingState.PINNED, there, (), reason, f"pinned at {there} by {who} until {until}", until)


def _written(
    deployment: ModelDeployment,
    former: ScalingStatus,
    state: ScalingStatus,
    replicas: int | None,
    now: datetime,
) -> Steps:
    generation = deployment.metadata.generation + (replicas is not None)
    moved = (former.for_replicas, former.pools, former.state) != (
        state.for_replicas,
        state.pools,
        state.state,
    )
    made = state.model_copy(
        update={
            "history": _history(former) if moved else former.history,
            "observed_generation": generation,
            "since": _text(now) if moved else former.since,
            # A sentence has numbers of its moment: it stays that of the decision which it explains.
            "reason": state.reason if moved else former.reason,
        }
    )
    there = deployment.spec.replicas
    scaled = [] if replicas is None else [Told("Scaled", f"from {there} to {replicas}: {made.reason}")]
    if made == former:
        return Steps(None, replicas, tuple(scaled))
    return Steps(made.to_document(), replicas, (*_told(former, made), *scaled))


def _history(former: ScalingStatus) -> tuple[PastDecision, ...]:
    """What comes before a new decision."""
    if not former.state:
        return former.history
    # What holds replicas says why in its message; its reason is that of the decision which it holds.
    why = former.message if former.state in _HOLDING else former.reason
    last = PastDecision(
        since=former.since,
        for_replicas=former.for_replicas,
        state=former.state,
        reason=why[:_LONGEST_PAST_REASON],
    )
    return (last, *former.history)[:_PAST]


def _told(former: ScalingStatus, made: ScalingStatus) -> list[Told]:
    if made.state == ScalingState.PINNED and made.pinned_until != former.pinned_until:
        return [Told("ScalingPinned", made.message)]
    if made.state == former.state or made.state == ScalingState.OFF:
        return []
    if made.state == ScalingState.PINNED:
        return [Told("ScalingPinned", made.message)]
    if made.state in _HOLDING:
        return [Told(made.state, made.message, is_warning=True)]
    if former.state in _HOLDING:
        return [Told("ScalingActive", "replicas are decided again")]
    return []


def _text(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(text: str) -> datetime:
    """Long ago where it is no time."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return _LONG_AGO
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
