"""An object kept as text but for what it is known by: as Python objects it takes six times the memory.

Of what is kept most is read once, at a comparison, and never again while nothing changes.
"""

from collections.abc import Iterator, Mapping
from sys import intern
from typing import Any

from pointsman.json_text import dumped, loaded
from pointsman.kube.objects import KubeObject

_AS_IT_IS = frozenset({"apiVersion", "kind", "metadata"})


class Packed(Mapping[str, Any]):
    """Reads like the object that it was made from; each reading of a member that is text is a new copy."""

    __slots__ = ("_head", "_texts")

    def __init__(self, obj: KubeObject) -> None:
        self._head = {name: value for name, value in obj.items() if name in _AS_IT_IS}
        self._head["metadata"] = _interned(obj.get("metadata") or {})
        # Copied: what orjson gives holds on to some kilobytes that it did not need.
        texts = {name: dumped(value) for name, value in obj.items() if name not in _AS_IT_IS}
        self._texts = {name: bytes(memoryview(text)) for name, text in texts.items()}

    def __getitem__(self, name: str) -> Any:
        text = self._texts.get(name)
        return self._head[name] if text is None else loaded(text)

    def __iter__(self) -> Iterator[str]:
        yield from self._head
        yield from self._texts

    def __len__(self) -> int:
        return len(self._head) + len(self._texts)

    def get(self, name: str, default: Any = None) -> Any:
        """Metadata is asked for more often than anything else."""
        if name in self._head:
            return self._head[name]
        text = self._texts.get(name)
        return default if text is None else loaded(text)

    def text(self, name: str) -> bytes | None:
        """A member as JSON; None where there is none, or it is not kept as text."""
        return self._texts.get(name)


def same_member(one: KubeObject, other: KubeObject, name: str) -> bool:
    """Whether two objects say the same of a member; of two that are kept as text without reading it."""
    if isinstance(one, Packed) and isinstance(other, Packed):
        texts = one.text(name), other.text(name)
        if None not in texts:
            return texts[0] == texts[1]
    return bool(one.get(name) == other.get(name))


def _interned(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The same metadata; values of labels that thousands of objects have are there once."""
    labels = meta.get("labels")
    if not labels:
        return dict(meta)
    return {**meta, "labels": {name: intern(value) for name, value in labels.items()}}
