"""The objects that belong to ModelDeployments, found by their label, and as new as our own last write.

By label and not by owner: what was orphaned, or is owned by a former object of the same name, is adopted.
A watch tells of our own write a moment after the API server answered it; until then the answer counts, or a
second look in between would write again.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from pointsman.api import ObjectKey
from pointsman.controller.modeldeployment.news import is_news as is_news_of_deployment
from pointsman.controller.own_writes import OwnWrites
from pointsman.kube.objects import Kind, KubeObject, key_of, kind_of, labels_of, resource_version_of, uid_of
from pointsman.workloads.naming import DEPLOYMENT

Named = Callable[[ObjectKey], None]
"""Told which deployment an object belongs to that changed."""


OwnerOf = Callable[[KubeObject], ObjectKey | None]
IsNews = Callable[[Kind, KubeObject | None, KubeObject | None], bool]


def deployment_of(obj: KubeObject) -> ObjectKey | None:
    """The ModelDeployment that an object belongs to."""
    name = labels_of(obj).get(DEPLOYMENT)
    return ObjectKey(key_of(obj).namespace, name) if name else None


class Children:
    """Informers write into it by `listener`, the reconciler by `making`, `wrote` and `deleted`."""

    def __init__(
        self, changed: Named, owner: OwnerOf = deployment_of, is_news: IsNews = is_news_of_deployment
    ) -> None:
        """`owner` says whose an object is, `is_news` which changes of it a look at its owner would see."""
        self._changed = changed
        self._owner = owner
        self._is_news = is_news
        self._objects: dict[tuple[Kind, ObjectKey], KubeObject] = {}
        self._of: dict[ObjectKey, dict[tuple[Kind, ObjectKey], None]] = {}
        self._ahead: dict[tuple[Kind, ObjectKey], KubeObject] = {}
        self._gone: dict[tuple[Kind, ObjectKey], str] = {}
        self._own: OwnWrites[tuple[Kind, ObjectKey]] = OwnWrites()

    def listener(self, kind: Kind) -> Callable[[KubeObject | None, KubeObject | None], None]:
        """What an informer of this kind tells."""

        def hear(before: KubeObject | None, now: KubeObject | None) -> None:
            is_echo = now is not None and self._own.is_echo((kind, key_of(now)), now)
            for owner in {self._owner(one) for one in (before, now) if one is not None}:
                if owner is not None:
                    self._hear(kind, before, now, owner)
                    if not is_echo and self._is_news(kind, before, now):
                        self._changed(owner)

        return hear

    def of(self, deployment: ObjectKey, kinds: Iterable[Kind]) -> tuple[KubeObject, ...]:
        """The objects of a deployment of these kinds, in a stable order."""
        wanted = frozenset(kinds)
        idents = (ident for ident in self._of.get(deployment, ()) if ident[0] in wanted)
        found = (self._now(ident) for ident in sorted(idents, key=lambda i: (i[0].kind, i[1])))
        return tuple(one for one in found if one is not None)

    def get(self, kind: Kind, key: ObjectKey) -> KubeObject | None:
        """One object as it is now, as far as we know."""
        return self._now((kind, key))

    def making(self, wanted: KubeObject) -> AbstractContextManager[Callable[[KubeObject], None]]:
        """Around the making of an object; what it yields is to be given the API server's answer. What the
        watch tells of just that is told to nobody.
        """

        def tell() -> None:
            owner = self._owner(wanted)
            if owner is not None:
                self._changed(owner)

        return self._own.writing((kind_of(wanted), key_of(wanted)), tell)

    def wrote(self, kind: Kind, answer: KubeObject) -> None:
        """The API server answered a write of ours with this."""
        ident = (kind, key_of(answer))
        self._gone.pop(ident, None)
        held = self._objects.get(ident)
        if held is None or is_newer(answer, held):
            self._ahead[ident] = answer
            owner = self._owner(answer)
            if owner is not None:
                self._of.setdefault(owner, {})[ident] = None

    def deleted(self, kind: Kind, key: ObjectKey, uid: str) -> None:
        """The API server took a deletion of ours, of which the watch may have told by now."""
        ident = (kind, key)
        if ident in self._objects or ident in self._ahead:
            self._gone[ident] = uid
            self._ahead.pop(ident, None)

    def _hear(
        self, kind: Kind, before: KubeObject | None, now: KubeObject | None, deployment: ObjectKey
    ) -> None:
        ident = (kind, key_of(now if now is not None else before or {}))
        belongs = now is not None and self._owner(now) == deployment
        if now is None or not belongs:
            self._of.get(deployment, {}).pop(ident, None)
            if not self._of.get(deployment):
                self._of.pop(deployment, None)
        if now is None:
            self._own.forget(ident)
            self._objects.pop(ident, None)
            self._ahead.pop(ident, None)
            self._gone.pop(ident, None)
            return
        self._objects[ident] = now
        if belongs:
            self._of.setdefault(deployment, {})[ident] = None
        ahead = self._ahead.get(ident)
        if ahead is not None and not is_newer(ahead, now):
            del self._ahead[ident]
        if self._gone.get(ident, uid_of(now)) != uid_of(now):
            del self._gone[ident]

    def _now(self, ident: tuple[Kind, ObjectKey]) -> KubeObject | None:
        found = self._ahead.get(ident) or self._objects.get(ident)
        if found is None or self._gone.get(ident) == uid_of(found):
            return None
        return found


def is_newer(one: KubeObject, other: KubeObject) -> bool:
    """Whether `one` is a later state of the same object.

    Resource versions are compared as the numbers that they are (KEP-5504: they may be, within one object);
    where they are none, the watch is right.
    """
    first, second = resource_version_of(one), resource_version_of(other)
    return first.isdecimal() and second.isdecimal() and int(first) > int(second)
