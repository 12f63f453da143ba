"""What is done next for a deployment's replicas."""

from dataclasses import dataclass

import pytest

from pointsman.local.engines.plan import Phase, Plan, ReplicaView, plan

READY, STARTING, WAITING, DRAINING = Phase.READY, Phase.STARTING, Phase.WAITING, Phase.DRAINING
SILENT = Phase.SILENT


def views(*replicas: tuple[str, Phase]) -> list[ReplicaView]:
    """Replicas by slot, each with the hash of its spec and its phase."""
    return [ReplicaView(slot, spec, phase) for slot, (spec, phase) in enumerate(replicas)]


@dataclass(frozen=True)
class Case:
    replicas: list[ReplicaView]
    wanted: int
    want: Plan
    room: int = 9


CASES = {
    "nothing runs: all are started": Case([], 2, Plan(start=2)),
    "what is wanted runs: nothing to do": Case(views(("b", READY), ("b", READY)), 2, Plan()),
    "memory for one only: one is started": Case([], 3, Plan(start=1), room=1),
    "no memory: nothing is started and nothing is taken away": Case(views(("a", READY)), 1, Plan(), room=0),
    "one more is wanted: one is started": Case(views(("b", READY)), 2, Plan(start=1)),
    "a failed replica counts: it is started again by itself": Case(views(("b", WAITING)), 1, Plan()),
    "a draining replica counts for nothing": Case(views(("b", DRAINING)), 1, Plan(start=1)),
    "fewer are wanted: the failed one leaves before one that serves": Case(
        views(("b", READY), ("b", WAITING), ("b", READY)), 2, Plan(end=(1,))
    ),
    "fewer are wanted: the newest leaves": Case(views(("b", READY), ("b", READY)), 1, Plan(drain=(1,))),
    "none are wanted: all drain": Case(views(("b", READY), ("a", READY)), 0, Plan(drain=(0, 1))),
    "a new spec: the former serves until the new one can": Case(views(("a", READY)), 1, Plan(start=1)),
    "the new one starts: the former still serves": Case(views(("a", READY), ("b", STARTING)), 1, Plan()),
    "the new one is ready: the former drains": Case(views(("a", READY), ("b", READY)), 1, Plan(drain=(0,))),
    "the new one never gets ready: the former goes on serving": Case(
        views(("a", READY), ("a", READY), ("b", WAITING), ("b", WAITING)), 2, Plan()
    ),
    "one of two new ones is ready: one of the former drains": Case(
        views(("a", READY), ("a", READY), ("b", READY), ("b", STARTING)), 2, Plan(drain=(1,))
    ),
    "a former one that does not serve is ended at once": Case(
        views(("a", WAITING), ("a", STARTING)), 1, Plan(start=1, end=(0, 1))
    ),
    "a silent replica counts: it answers again, or is started again by itself": Case(
        views(("b", READY), ("b", SILENT)), 2, Plan()
    ),
    "fewer are wanted: the silent one leaves first, and may finish what it works on": Case(
        views(("b", SILENT), ("b", READY)), 1, Plan(drain=(0,))
    ),
    "a former one that is silent is left alone": Case(views(("a", SILENT), ("b", READY)), 1, Plan()),
    "fewer are wanted while a new spec starts: the former shrinks too": Case(
        views(("a", READY), ("a", READY), ("b", STARTING)), 1, Plan(drain=(1,))
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_next_step(case: Case) -> None:
    assert plan(case.replicas, "b", case.wanted, case.room) == case.want


@pytest.mark.parametrize("wanted", range(4))
@pytest.mark.parametrize("former", range(4))
def test_a_rollout_keeps_capacity_and_ends(former: int, wanted: int) -> None:
    """Following the plan, with every started replica getting ready, ends at the wanted replicas and nothing
    else; on the way there are never fewer ready than the lesser of before and wanted.
    """
    running = dict.fromkeys(range(former), ("a", READY))
    for _ in range(20):
        assert sum(phase is READY for _, phase in running.values()) >= min(former, wanted)
        step = plan([ReplicaView(slot, *one) for slot, one in running.items()], "b", wanted, room=9)
        if step == Plan() and all(phase is READY for _, phase in running.values()):
            break
        running = {slot: (spec, READY) for slot, (spec, _) in running.items()}
        for slot in (*step.drain, *step.end):
            del running[slot]
        for _ in range(step.start):
            running[max(running, default=-1) + 1] = ("b", STARTING)
    assert list(running.values()) == [("b", READY)] * wanted
