"""What a watch tells of our own writes, which is no news: of three looks at a deployment that is being made,
two would be at what the first look wrote.

A watch may tell of a write before the API server's answer is here. Whether it was that write, or somebody
else's, is known once the answer is; until then nobody is told.
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from pointsman.kube.objects import KubeObject, resource_version_of, uid_of

K = TypeVar("K", bound=Hashable)
Answered = Callable[[KubeObject], None]


class OwnWrites(Generic[K]):
    """By key, with one write of an object at a time."""

    def __init__(self) -> None:
        self._heard: dict[K, set[tuple[str, str]]] = {}
        self._awaited: dict[K, tuple[str, str]] = {}

    def is_echo(self, key: K, obj: KubeObject) -> bool:
        """Whether what a watch tells is no news. While a write is under way it may be, and `writing` tells of
        it if it was.
        """
        heard = self._heard.get(key)
        if heard is None:
            return self._awaited.pop(key, None) == _version(obj)
        heard.add(_version(obj))
        return True

    def forget(self, key: K) -> None:
        """The object is gone."""
        self._awaited.pop(key, None)

    @contextmanager
    def writing(self, key: K, tell: Callable[[], None]) -> Iterator[Answered]:
        """Around a write; what it yields is to be given an answer that holds nothing but what was known and
        what was written. `tell` is called if anything was heard that is not the answer.
        """
        self._awaited.pop(key, None)
        heard = self._heard.setdefault(key, set())

        def answered(answer: KubeObject) -> None:
            version = _version(answer)
            if version in heard:
                heard.remove(version)
            else:
                self._awaited[key] = version

        try:
            yield answered
        finally:
            del self._heard[key]
            if heard:
                tell()


def _version(obj: KubeObject) -> tuple[str, str]:
    return uid_of(obj), resource_version_of(obj)
