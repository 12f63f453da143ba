"""A process node on a thread of its own: for tests that are not asynchronous, or that block their loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.process_node.images import Image
from tests.support.cluster.process_node.node import ProcessNode
from tests.support.cluster.process_node.settings import NodeSettings
from tests.support.event_loop_thread import EventLoopThread

_Found = TypeVar("_Found")

_START_SECONDS = 60.0


class RunningNode:
    """The same node, with methods that may be called from any thread. Use as a context manager."""

    def __init__(
        self, control_plane: ControlPlane, settings: NodeSettings, *, folder: Path | None = None
    ) -> None:
        self.settings = settings
        self._thread = EventLoopThread(settings.name)
        self._node = ProcessNode.of(control_plane, settings, folder=folder)

    def __enter__(self) -> RunningNode:
        self._thread.__enter__()
        self._thread.call(self._node.__aenter__(), _START_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._thread.call(self._node.__aexit__(kind, error, trace), _START_SECONDS)
        finally:
            self._thread.__exit__(kind, error, trace)

    def pods(self) -> tuple[str, ...]:
        """The pods that it has, as `namespace/name`."""
        return self._on_loop(lambda: tuple(self._node.pods))

    def log(self, namespace: str, pod: str, container: str, *, previous: bool = False) -> str:
        """What a container wrote."""
        return self._on_loop(lambda: self._node.log(namespace, pod, container, previous=previous))

    def pid(self, namespace: str, pod: str, container: str) -> int:
        """The process of a container, to kill or pause it."""
        return self._on_loop(lambda: self._node.container(namespace, pod, container).pid)

    def add_image(self, image: Image) -> None:
        """Have an image from now on."""
        self._on_loop(lambda: self._node.images.append(image))

    def remove_image(self, pattern: str) -> None:
        """Have no image of that pattern any more; what runs goes on."""
        self._on_loop(lambda: self._node.remove_image(pattern))

    def evict(self, namespace: str, name: str, *, resource: str = "memory") -> None:
        """See `ProcessNode.evict`."""
        self._on_loop(lambda: self._node.evict(namespace, name, resource=resource))

    def out_of_memory(self, namespace: str, pod: str, container: str) -> None:
        """See `Container.out_of_memory`."""
        self._on_loop(lambda: self._node.container(namespace, pod, container).out_of_memory())

    def vanish(self) -> None:
        """See `ProcessNode.vanish`."""
        self._on_loop(self._node.vanish)

    def _on_loop(self, action: Callable[[], _Found]) -> _Found:
        async def run() -> _Found:
            return action()

        return self._thread.call(run())
