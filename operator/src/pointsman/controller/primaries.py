"""Our own objects as kopf saw them last, or as new as our own last write of their status."""

from collections.abc import Callable, Iterator

from pointsman.api import ObjectKey
from pointsman.controller.acting import MANAGER
from pointsman.controller.children import is_newer
from pointsman.controller.identity import Ident
from pointsman.kube.difference import keep_own_fields
from pointsman.kube.objects import Kind, KubeObject, key_of

_OURS = frozenset({MANAGER})

Keep = Callable[[KubeObject, frozenset[str]], KubeObject]


class Primaries:
    """One kind's objects. `changed` hears of each that changed."""

    def __init__(self, kind: Kind, changed: Callable[[Ident], None], keep: Keep = keep_own_fields) -> None:
        """`keep` makes of an object what is kept of it, with the managed fields of these managers."""
        self.kind = kind
        self._keep = keep
        self._changed = changed
        self._objects: dict[ObjectKey, KubeObject] = {}

    def __iter__(self) -> Iterator[ObjectKey]:
        return iter(self._objects)

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, key: ObjectKey) -> KubeObject | None:
        return self._objects.get(key)

    def saw(self, obj: KubeObject, gone: bool) -> None:
        """The watch told of it."""
        key = key_of(obj)
        held = self._objects.get(key)
        if gone:
            self._objects.pop(key, None)
        elif held is None or not is_newer(held, obj):
            self._objects[key] = self._keep(obj, _OURS)
        self._changed(Ident(self.kind.kind, key))

    def wrote(self, answer: KubeObject) -> None:
        """The API server answered a write of ours with this."""
        key = key_of(answer)
        held = self._objects.get(key)
        if held is not None and is_newer(answer, held):
            self._objects[key] = self._keep(answer, _OURS)
