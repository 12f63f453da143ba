"""Whatever is found and wanted: what was written is not written again, and numbers are only ours to write."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pointsman.api.modeldeployment_status import ScalingState
from pointsman_autoscaler.loop.steps import MANAGER, Wish, steps
from pointsman_autoscaler.signals.watched import Blind
from tests.unit.autoscaler.loop.test_steps import NOW, after, found, said

COUNTS = st.integers(0, 5)
WISHES = st.dictionaries(st.sampled_from(["a", "b"]), COUNTS, min_size=1).map(lambda found: Wish(found, "so"))
BLIND = st.sampled_from([Blind("dark"), Blind("no schedule", ScalingState.NOT_DECIDED)])
UNTIL = st.integers(-60, 60).map(lambda minutes: (NOW + timedelta(minutes=minutes)).isoformat())


@st.composite
def statuses(draw: st.DrawFn) -> dict[str, Any]:
    state = draw(st.sampled_from([*ScalingState, "", "Later"]))
    pinned = draw(UNTIL) if state == ScalingState.PINNED else ""
    return said(str(state), draw(COUNTS), draw(st.integers(3, 7)), pinnedUntil=pinned)


@given(
    mode=st.sampled_from(["active", "advise", "off"]),
    replicas=COUNTS,
    status=st.none() | statuses(),
    wrote=st.sampled_from([MANAGER, "kubectl", ""]),
    wanted=WISHES | BLIND,
)
def test_steps(
    mode: str, replicas: int, status: dict[str, Any] | None, wrote: str, wanted: Wish | Blind
) -> None:
    before = found(replicas, mode, scaling=status)
    made = steps(before, wrote, wanted, NOW)
    assert made == steps(before, wrote, wanted, NOW)
    now = after(before, made)
    owner = wrote if made.replicas is None else MANAGER
    assert steps(now, owner, wanted, NOW).is_nothing
    if mode != "active" or isinstance(wanted, Blind):
        assert made.replicas is None
    else:
        assert made.replicas in (None, wanted.total)
    state = "" if now.status.scaling is None else now.status.scaling.state
    if mode == "off":
        # Noted once, so that what is written meanwhile is nobody's pin later.
        assert state in ("", ScalingState.OFF)
        assert now.spec.replicas == replicas
    elif state == ScalingState.PINNED:
        # A stranger's number stays, whatever is wanted.
        assert now.spec.replicas == replicas
    elif isinstance(wanted, Wish) and mode == "active":
        assert (state, now.spec.replicas) == (ScalingState.ACTIVE, wanted.total)
