"""Objects of one kind as an informer saw them last, by key and by owner."""

from collections.abc import Iterator, Mapping

from pointsman.api.meta import ObjectKey
from pointsman.kube.objects import KubeObject, key_of, owners_of


class Store(Mapping[ObjectKey, KubeObject]):
    """Read it as a mapping; only informers write. Several informers (one a namespace) may share one."""

    def __init__(self) -> None:
        self._objects: dict[ObjectKey, KubeObject] = {}
        self._owned: dict[str, dict[ObjectKey, None]] = {}

    def __getitem__(self, key: ObjectKey) -> KubeObject:
        return self._objects[key]

    def __iter__(self) -> Iterator[ObjectKey]:
        return iter(self._objects)

    def __len__(self) -> int:
        return len(self._objects)

    def owned_by(self, uid: str) -> tuple[KubeObject, ...]:
        """The objects that name `uid` among their owners, by key."""
        return tuple(self._objects[key] for key in sorted(self._owned.get(uid, ())))

    def put(self, obj: KubeObject) -> KubeObject | None:
        """Keep an object, and give what was kept under its key before."""
        key = key_of(obj)
        old = self._objects.get(key)
        if old is not None:
            self._disown(key, old)
        self._objects[key] = obj
        for uid in owners_of(obj):
            self._owned.setdefault(uid, {})[key] = None
        return old

    def remove(self, key: ObjectKey) -> KubeObject | None:
        """Forget an object, and give it."""
        old = self._objects.pop(key, None)
        if old is not None:
            self._disown(key, old)
        return old

    def _disown(self, key: ObjectKey, obj: KubeObject) -> None:
        for uid in owners_of(obj):
            owned = self._owned.get(uid, {})
            owned.pop(key, None)
            if not owned:
                self._owned.pop(uid, None)
