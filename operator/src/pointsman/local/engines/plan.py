"""What to do next for one deployment's replicas: a pure decision over what runs and what is wanted.

A changed spec is rolled out one for one: a replica of the new spec must be able to answer before one of the
old leaves, so capacity never falls below what is wanted, and a new spec that never gets ready changes
nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pointsman.catalog.metric_report import MetricReport


class Phase(StrEnum):
    STARTING = "Starting"
    READY = "Ready"
    WAITING = "Waiting"
    """Failed; is started again after a while."""
    SILENT = "Silent"
    """Served, runs and does not answer: gets no requests until it does, and is started again if it does
    not.
    """
    DRAINING = "Draining"
    """Gets no more requests, and ends when it has answered those it has."""


@dataclass(frozen=True)
class Trouble:
    """Why a replica is not ready: a reason for programs, a line for people, the engine's own last lines."""

    reason: str
    message: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReplicaView:
    """One replica as it is now. `slot` is its number within the deployment; `port` is 0 unless it is
    ready.
    """

    slot: int
    spec_hash: str
    phase: Phase
    port: int = 0
    trouble: Trouble | None = None
    metrics: MetricReport | None = None
    """What its engine was seen to say of itself, once it was asked."""
    created_seconds: float = 0.0
    """When it was made, and when it was ready first, as Unix time."""
    ready_seconds: float | None = None


@dataclass(frozen=True)
class Plan:
    """`start`: how many replicas of the wanted spec; `drain` and `end`: slots of replicas that leave."""

    start: int = 0
    drain: tuple[int, ...] = ()
    end: tuple[int, ...] = ()


# Which of the wanted spec's replicas leaves first when there are too many: what serves stays longest.
_LEAVES_FIRST = {Phase.WAITING: 0, Phase.STARTING: 1, Phase.SILENT: 2, Phase.READY: 3}


def plan(replicas: Sequence[ReplicaView], wanted_hash: str, wanted: int, room: int) -> Plan:
    """What brings the replicas nearer to `wanted` of `wanted_hash`; an empty plan if nothing is to be done
    now.

    A silent replica may still work on what it was asked: it leaves like a ready one, by a drain; one of a
    former spec is left alone until it answers again or is given up.

    `room` is how many more replicas the machine's memory can hold at present.
    """
    staying = [replica for replica in replicas if replica.phase is not Phase.DRAINING]
    current = [replica for replica in staying if replica.spec_hash == wanted_hash]
    former = [replica for replica in staying if replica.spec_hash != wanted_hash]

    surplus = sorted(current, key=lambda replica: (_LEAVES_FIRST[replica.phase], -replica.slot))
    leaving = surplus[: max(0, len(current) - wanted)]
    ready = sum(replica.phase is Phase.READY for replica in current) - sum(
        replica.phase is Phase.READY for replica in leaving
    )
    serving = (Phase.READY, Phase.SILENT)
    former_ready = sorted((replica.slot for replica in former if replica.phase is Phase.READY), reverse=True)
    kept_of_former = max(0, wanted - ready)
    return Plan(
        start=min(max(0, wanted - len(current)), max(0, room)),
        drain=tuple(
            sorted(
                [replica.slot for replica in leaving if replica.phase in serving]
                + former_ready[: max(0, len(former_ready) - kept_of_former)]
            )
        ),
        end=tuple(
            sorted(
                [replica.slot for replica in leaving if replica.phase not in serving]
                + [replica.slot for replica in former if replica.phase not in serving]
            )
        ),
    )
