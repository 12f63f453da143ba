"""How many replicas scaled deployments are to have now. Pure.

A file states the first number, within what its `scaling` allows, and is never written. A number that somebody
writes into it afterwards counts, as one that is written past an autoscaler of a cluster does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pointsman.api import ModelDeployment, ObjectKey
from pointsman.api.modeldeployment_status import ScalingState, ScalingStatus
from pointsman.api.scaling import ScalingMode
from pointsman.local.scaling import is_scaled


@dataclass(slots=True)
class _Number:
    stated: int
    """What the file says."""
    replicas: int
    is_ours: bool
    said: ScalingStatus | None


class Numbers:
    """Beside the files, for one run."""

    def __init__(self, former: Callable[[ModelDeployment], ScalingStatus | None]) -> None:
        """`former` is what an earlier run said last: it goes on from there."""
        self._former = former
        self._numbers: dict[ObjectKey, _Number] = {}
        self._made: dict[ObjectKey, tuple[ModelDeployment, ModelDeployment]] = {}

    @property
    def keys(self) -> Sequence[ObjectKey]:
        return sorted(self._numbers)

    def live(self, stated: Mapping[ObjectKey, ModelDeployment]) -> dict[ObjectKey, ModelDeployment]:
        """What files state, with the numbers that hold now; those that are scaled no more are forgotten."""
        found = {key: self._live(key, one) if is_scaled(one) else one for key, one in stated.items()}
        for key in [key for key in self._numbers if key not in stated or not is_scaled(stated[key])]:
            del self._numbers[key]
            self._made.pop(key, None)
        return found

    def is_ours(self, key: ObjectKey) -> bool:
        number = self._numbers.get(key)
        return number is not None and number.is_ours

    def write(self, key: ObjectKey, scaling: ScalingStatus | None, replicas: int | None) -> None:
        """Take what was decided, of a deployment that is scaled still."""
        number = self._numbers.get(key)
        if number is None:
            return
        if scaling is not None:
            number.said = scaling
        if replicas is not None:
            number.replicas, number.is_ours = replicas, True
        self._made.pop(key, None)

    def _live(self, key: ObjectKey, stated: ModelDeployment) -> ModelDeployment:
        made = self._made.get(key)
        if made is not None and made[0] is stated:
            # The same object again: whoever compares is spared it.
            return made[1]
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self._first(stated)
        elif number.stated != stated.spec.replicas:
            number.stated = number.replicas = stated.spec.replicas
            number.is_ours = False
        acts = stated.spec.scaling is not None and stated.spec.scaling.mode is ScalingMode.ACTIVE
        live = stated.model_copy(
            update={
                "spec": stated.spec.model_copy(
                    update={"replicas": number.replicas if acts else stated.spec.replicas}
                ),
                "status": stated.status.model_copy(update={"scaling": number.said}),
            }
        )
        self._made[key] = (stated, live)
        return live

    def _first(self, stated: ModelDeployment) -> _Number:
        said = self._former(stated)
        if said is None or not _was_done(said, stated):
            return _Number(stated.spec.replicas, _allowed(stated, stated.spec.replicas), False, said)
        return _Number(stated.spec.replicas, _allowed(stated, said.for_replicas), True, said)


def _allowed(stated: ModelDeployment, replicas: int) -> int:
    """From the first moment on, and not only once somebody has decided. Who may rest may be at zero."""
    scaling = stated.spec.scaling
    if scaling is None or (not replicas and stated.may_rest):
        return replicas
    return min(max(replicas, scaling.min_replicas), scaling.max_replicas)


def _was_done(said: ScalingStatus, stated: ModelDeployment) -> bool:
    """Whether an earlier run had so many replicas. Zero is what nobody has decided yet, too."""
    if said.for_replicas == 0:
        return stated.may_rest and said.state == ScalingState.ACTIVE
    return said.state != ScalingState.ADVISING
