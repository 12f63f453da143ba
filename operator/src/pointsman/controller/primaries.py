"""Our own objects as kopf saw them last, or as new as our own last write of their status."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pointsman.api import ObjectKey
from pointsman.controller.acting import MANAGER
from pointsman.controller.children import is_newer
from pointsman.controller.identity import Ident
from pointsman.controller.own_writes import OwnWrites
from pointsman.kube.difference import keep_own_fields
from pointsman.kube.objects import Kind, KubeObject, key_of, metadata, uid_of
from pointsman.kube.packed import Packed

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
        self._own: OwnWrites[ObjectKey] = OwnWrites()

    def __iter__(self) -> Iterator[ObjectKey]:
        return iter(self._objects)

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, key: ObjectKey) -> KubeObject | None:
        return self._objects.get(key)

    def saw(self, obj: KubeObject, gone: bool) -> bool:
        """The watch told of it; False where that is of a former object with this name.

        kopf tells of each object in the order of its changes, and of two with one name in any order: the end
        of a former one must not count as the end of the one that is there now.
        """
        key = key_of(obj)
        held = self._objects.get(key)
        if held is not None and uid_of(held) != uid_of(obj) and is_newer(held, obj):
            return False
        if gone:
            self._own.forget(key)
            self._objects.pop(key, None)
        elif held is None or not is_newer(held, obj):
            self._objects[key] = Packed(self._keep(obj, _OURS))
        if gone or not self._own.is_echo(key, obj):
            self._changed(Ident(self.kind.kind, key))
        return True

    @contextmanager
    def writing(self, wanted: KubeObject) -> Iterator[Callable[[KubeObject], None]]:
        """Around a write of the status in `wanted`; what it yields is to be given the API server's answer."""
        key = key_of(wanted)
        ident = Ident(self.kind.kind, key)
        before = self._objects.get(key)
        with self._own.writing(key, lambda: self._changed(ident)) as answered:

            def wrote(answer: KubeObject) -> None:
                held = self._objects.get(key)
                if before is None or held is None:
                    return
                kept = Packed(self._keep(answer, _OURS))
                if is_newer(kept, held):
                    self._objects[key] = kept
                if _beside(before, wanted) == _beside(kept, wanted):
                    answered(answer)
                else:
                    # Somebody else's change came with it, and a watch that begins anew may not tell of that.
                    self._changed(ident)

            yield wrote


def _beside(kept: KubeObject, wanted: KubeObject) -> tuple[object, ...]:
    """What an object holds beside the status that is wanted, and the traces of its being written."""
    meta, status, ours = metadata(kept), kept.get("status") or {}, wanted.get("status") or {}
    return (
        {name: value for name, value in meta.items() if name not in ("resourceVersion", "managedFields")},
        [entry for entry in meta.get("managedFields") or () if entry.get("manager") != MANAGER],
        kept.get("spec"),
        {name: value for name, value in status.items() if name not in ours},
    )
