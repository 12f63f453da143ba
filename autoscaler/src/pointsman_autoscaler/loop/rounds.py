"""When to look: at everything every few seconds, at what is urgent at once, one look at a time for each."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from pointsman.api import ModelDeployment, ObjectKey
from pointsman.api.modeldeployment_status import ScalingState
from pointsman.errors import PointsmanError
from pointsman.kube.clock import Clock, elapsed_seconds
from pointsman.kube.errors import LeadershipLost
from pointsman_autoscaler.loop.metrics import AutoscalerMetrics, Recommended
from pointsman_autoscaler.loop.policies import decision_of, follows, is_urgent, wish_of
from pointsman_autoscaler.loop.steps import Wish, lingers
from pointsman_autoscaler.policy import Policy
from pointsman_autoscaler.settings import ScalingSettings
from pointsman_autoscaler.signals.memory import PATIENCE, Patience
from pointsman_autoscaler.signals.watched import Blind, Source, Watched
from pointsman_autoscaler.stated import settings_of
from pointsman_autoscaler.view import View

_log = structlog.get_logger("autoscaler")

_AT_ONCE = 32
_MOST_OF_A_CORE = 4.0
"""A round's processor time comes at most once in so many times as long."""
_URGENT_SECONDS = 1.0
"""Replicas that come and go are urgent all the time: looks at once come no more often."""
_EARLY_SECONDS = 1.0
"""A look that comes so much before a policy's time is one that is due."""

SETTLING_SECONDS = 300.0
"""As long as Kubernetes' own autoscaler looks back before it takes replicas away."""

PolicyOf = Callable[[ScalingSettings], Policy]


class Followed(Protocol):
    """What is known of the deployments to look at."""

    @property
    def keys(self) -> Sequence[ObjectKey]: ...

    def deployment(self, key: ObjectKey) -> ModelDeployment | None: ...

    def watched(self, key: ObjectKey) -> Watched | None: ...

    def shared(self, key: ObjectKey, view: View) -> View:
        """With flavours as large as others leave them just now."""
        ...

    def claim(self, key: ObjectKey, replicas: Mapping[str, int]) -> Mapping[str, int]:
        """It was decided on; gives what of it quotas have room for."""
        ...


class Acting(Protocol):
    """Whoever writes."""

    async def act(self, known: ModelDeployment, wanted: Wish | Blind) -> None:
        """Raises KubeError."""


@dataclass(slots=True)
class _Scaled:
    """One deployment: its policy, which remembers, and when it was asked last."""

    uid: str
    settings: ScalingSettings
    policy: Policy
    since: float
    asked_at: float = float("-inf")


class Rounds:
    """`hurry` from anywhere on the event loop; `run` while leading."""

    def __init__(
        self,
        policy_of: PolicyOf,
        metrics: AutoscalerMetrics,
        look_seconds: float,
        patience: Patience = PATIENCE,
        settling_seconds: float = SETTLING_SECONDS,
        clock: Clock = elapsed_seconds,
    ) -> None:
        self._policy_of = policy_of
        self._metrics = metrics
        self._look_seconds = look_seconds
        self._patience = patience
        self._settling_seconds = settling_seconds
        self._clock = clock
        self._scaled: dict[ObjectKey, _Scaled] = {}
        self._urgent: set[ObjectKey] = set()
        self._called = asyncio.Event()
        self._failing: set[ObjectKey] = set()
        self._looked_at: set[ObjectKey] = set()
        self._began: float | None = None

    @property
    def working_seconds(self) -> float:
        """How long the looks under way have taken; 0 while there are none."""
        return 0.0 if self._began is None else self._clock() - self._began

    def hurry(self, key: ObjectKey) -> None:
        """Look at it now, whatever the time."""
        self._urgent.add(key)
        self._called.set()

    async def run(self, cluster: Followed, source: Source, actor: Acting) -> None:
        """Look until cancelled. Raises LeadershipLost, in a group."""
        turn = asyncio.Semaphore(_AT_ONCE)

        async def look(key: ObjectKey, *, at_once: bool) -> None:
            async with turn:
                try:
                    await self._look(key, cluster, source, actor, at_once=at_once)
                except LeadershipLost:
                    raise
                except Exception as error:
                    # One model in trouble is no reason to leave the others alone.
                    self._failed(key, f"{type(error).__name__}: {error}")

        next_round = self._clock()
        while True:
            urgent, self._urgent = self._urgent, set()
            self._called.clear()
            keys = set(urgent)
            self._began, cpu_seconds = self._clock(), time.thread_time()
            is_round = self._began >= next_round
            if is_round:
                keys |= set(cluster.keys)
                self._forget(cluster, source)
            self._looked_at |= keys
            async with asyncio.TaskGroup() as group:
                for key in sorted(keys):
                    group.create_task(look(key, at_once=key in urgent), name=f"look at {key}")
            # So many models, or such large pages, that it is work for long: then it comes less often.
            rest_seconds = (time.thread_time() - cpu_seconds) * _MOST_OF_A_CORE
            if is_round:
                next_round = self._began + max(self._look_seconds, rest_seconds)
            else:
                rest_seconds = max(_URGENT_SECONDS, rest_seconds)
            next_urgent, self._began = self._began + rest_seconds, None
            await asyncio.sleep(max(0.0, min(next_urgent, next_round) - self._clock()))
            try:
                async with asyncio.timeout(max(0.0, next_round - self._clock())):
                    await self._called.wait()
            except TimeoutError:
                continue

    def _forget(self, cluster: Followed, source: Source) -> None:
        gone = self._looked_at - set(cluster.keys)
        self._looked_at -= gone
        self._failing -= gone
        for key in gone:
            self._scaled.pop(key, None)
            source.forget(key)
            self._metrics.forget(key)

    async def _look(
        self, key: ObjectKey, cluster: Followed, source: Source, actor: Acting, *, at_once: bool
    ) -> None:
        known = cluster.deployment(key)
        if known is not None and lingers(known):
            await actor.act(known, Wish({}))
            return
        watched = cluster.watched(key)
        if watched is None:
            self._metrics.looked("not_placed")
            return
        view = await source.view(watched)
        # It may have changed while metrics were read.
        deployment = cluster.deployment(key)
        if deployment is None:
            return
        if isinstance(view, View):
            view = cluster.shared(key, view)
        wanted = self._wanted(key, deployment, view, cluster, at_once=at_once)
        if wanted is not None:
            await actor.act(deployment, wanted)
        self._failing.discard(key)

    def _failed(self, key: ObjectKey, reason: str) -> None:
        """Said once, until a look goes well."""
        if key not in self._failing:
            _log.warning("look_failed", deployment=str(key), reason=reason)
        self._failing.add(key)
        self._metrics.looked("failed")

    def _wanted(
        self,
        key: ObjectKey,
        deployment: ModelDeployment,
        view: View | Blind,
        cluster: Followed,
        *,
        at_once: bool,
    ) -> Wish | Blind | None:
        """What is wanted now; None where the policy is not asked yet: then nothing changes."""
        try:
            scaled = self._of(key, deployment)
        except PointsmanError as error:
            self._metrics.looked("failed")
            return Blind(str(error), ScalingState.NOT_DECIDED)
        if isinstance(view, Blind):
            return self._in_the_dark(key, scaled, view)
        is_due = self._clock() - scaled.asked_at >= scaled.policy.interval_seconds - _EARLY_SECONDS
        if not (is_due or at_once or is_urgent(scaled.policy, view)):
            return None
        scaled.asked_at = self._clock()
        began = time.thread_time()
        try:
            replicas = scaled.policy.decide(view)
        except Exception as error:
            _log.exception("not_decided", deployment=str(key))
            self._metrics.looked("failed")
            return Blind(f"internal error: {type(error).__name__}; see the log", ScalingState.NOT_DECIDED)
        wanted = wish_of(scaled.policy, replicas)
        seconds = time.thread_time() - began
        if isinstance(wanted, Blind):
            return self._in_the_dark(key, scaled, wanted)
        if self._takes_away_too_soon(scaled, deployment.spec.replicas, wanted.total):
            self._metrics.looked("settling")
            return None
        given = cluster.claim(key, wanted.replicas)
        if given != wanted.replicas:
            wanted = Wish(given, f"{wanted.sentence}; of these a quota leaves {sum(given.values())}")
        decision = decision_of(scaled.policy)
        predicted = (decision.attainment, decision.cost_per_hour) if decision is not None else (None, None)
        self._metrics.decided(key, Recommended(dict(given), *predicted), seconds)
        self._metrics.looked("decided")
        return wanted

    def _takes_away_too_soon(self, scaled: _Scaled, there: int, wanted: int) -> bool:
        """Whether a policy that has only begun to look would end replicas: of their load it knows little."""
        hold_seconds = scaled.settings.hold_seconds
        settling = self._settling_seconds
        # As long as it would hold what it had seen to be needed.
        settling = settling if hold_seconds is None else min(settling, hold_seconds)
        is_young = self._clock() - scaled.since < settling
        return is_young and wanted < there <= scaled.settings.maximum

    def _in_the_dark(self, key: ObjectKey, scaled: _Scaled, blind: Blind) -> Blind | None:
        """Whoever has only begun to look need not see yet: a restart is no blindness."""
        self._metrics.looked("blind")
        if self._clock() - scaled.since < self._patience.stale_seconds:
            # Rates need two looks: the second is not waited for longer than it must be.
            scaled.asked_at = float("-inf")
            return None
        self._metrics.is_blind(key)
        return blind

    def _of(self, key: ObjectKey, deployment: ModelDeployment) -> _Scaled:
        settings = settings_of(deployment)
        known = self._scaled.get(key)
        if known is not None and known.uid == deployment.metadata.uid and known.settings != settings:
            known = replace(known, settings=settings) if follows(known.policy, settings) else None
        if known is None or known.uid != deployment.metadata.uid:
            known = _Scaled(deployment.metadata.uid, settings, self._policy_of(settings), self._clock())
        self._scaled[key] = known
        return known
