"""The loop of clusters over the processes of one machine: `pointsman up`. Composition only."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from pointsman.api import ModelDeployment, ObjectKey
from pointsman.api.modeldeployment_status import ScalingStatus
from pointsman.local.placement import ACCELERATOR
from pointsman.local.scaling import Machine
from pointsman_autoscaler.loop.metrics import AutoscalerMetrics
from pointsman_autoscaler.loop.rounds import SETTLING_SECONDS, Rounds
from pointsman_autoscaler.loop.steps import MANAGER, Wish, steps
from pointsman_autoscaler.policy import Policy
from pointsman_autoscaler.scaler import Scaler
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.signals.machine import MachineSource
from pointsman_autoscaler.signals.watched import Blind, Replica, Watched
from pointsman_autoscaler.view import Flavour, Startup, View

_USUAL = Startup(10.0, 30.0)
"""Until one was seen to start: 270M parameters answer after 2.2 s on two cores, and what is read from a disk
takes ten times as long."""
_THE_FILE = "the file"
_PRICE = 1e-4
"""A machine that is there costs the same whatever it runs: fewer replicas are better, and cost 0.00 all the
same."""


def _as_it_is(seconds: float) -> float:
    return seconds


class MachineScaling:
    """`policy_of` decides for one deployment; `look_seconds` is how often it is looked, and within the first
    `settling_seconds` nothing is taken away. `time_of` gives the time that the policy goes by at a Unix time:
    tests have it pass faster.
    """

    def __init__(
        self,
        policy_of: Callable[[ScalingSettings], Policy] = Scaler,
        look_seconds: float = MachineSource.look_seconds,
        settling_seconds: float = SETTLING_SECONDS,
        time_of: Callable[[float], float] = _as_it_is,
    ) -> None:
        self._policy_of = policy_of
        self._look_seconds = look_seconds
        self._settling_seconds = settling_seconds
        self._time_of = time_of

    async def run(self, machine: Machine) -> None:
        """Look and act, until cancelled."""
        time_of = self._time_of
        rounds = Rounds(
            self._policy_of,
            AutoscalerMetrics(),
            self._look_seconds,
            settling_seconds=self._settling_seconds,
        )
        source = MachineSource(machine, lambda: time_of(time.time()))
        await rounds.run(_Followed(machine, time_of), source, _Actor(machine))


class _Followed:
    def __init__(self, machine: Machine, time_of: Callable[[float], float]) -> None:
        self._machine = machine
        self._time_of = time_of

    @property
    def keys(self) -> Sequence[ObjectKey]:
        return self._machine.scaled

    def deployment(self, key: ObjectKey) -> ModelDeployment | None:
        return self._machine.deployment(key)

    def shared(self, key: ObjectKey, view: View) -> View:
        return view

    def claim(self, key: ObjectKey, replicas: Mapping[str, int]) -> Mapping[str, int]:
        return replicas

    def watched(self, key: ObjectKey) -> Watched | None:
        """None until it is known what its engines are."""
        deployment, slots = self._machine.deployment(key), self._machine.slots(key)
        if deployment is None or deployment.spec.scaling is None or slots is None:
            return None
        most = deployment.spec.scaling.max_replicas
        flavour = Flavour(ACCELERATOR, _PRICE, maximum=most, startup=_USUAL, slots=slots)
        replicas = tuple(
            Replica(
                name=one.name,
                flavour=ACCELERATOR,
                metrics=None,
                created_seconds=self._time_of(one.created_seconds),
                ready_seconds=None if one.ready_seconds is None else self._time_of(one.ready_seconds),
                is_ready=one.is_ready,
                is_draining=one.is_draining,
            )
            for one in self._machine.replicas(key)
        )
        return Watched(key, {ACCELERATOR: flavour}, replicas, {ACCELERATOR: deployment.spec.replicas})


class _Actor:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    async def act(self, known: ModelDeployment, wanted: Wish | Blind) -> None:
        key = known.key
        wrote = MANAGER if self._machine.is_ours(key) else _THE_FILE
        todo = steps(known, wrote, wanted, datetime.now(UTC))
        if todo.is_nothing and not todo.told:
            return
        said = None if todo.scaling is None else ScalingStatus.model_validate(todo.scaling)
        self._machine.scale(key, said, todo.replicas, [told.message for told in todo.told])
