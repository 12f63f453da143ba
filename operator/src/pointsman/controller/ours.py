"""Which of the objects with our labels are ours: anybody may put labels on an object of theirs. Pure."""

from pointsman.controller.acting import MANAGER
from pointsman.kube.difference import is_by
from pointsman.kube.informer import Listener
from pointsman.kube.objects import KubeObject


def of_ours(hear: Listener) -> Listener:
    """A listener that hears of nothing but what we made or applied."""

    def heard(before: KubeObject | None, now: KubeObject | None) -> None:
        known, knows = _ours(before), _ours(now)
        if known is not None or knows is not None:
            hear(known, knows)

    return heard


def _ours(obj: KubeObject | None) -> KubeObject | None:
    return obj if obj is not None and is_by(obj, MANAGER) else None
