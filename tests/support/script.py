"""Which behaviour answers the next request of a stand-in.

In this order: what was queued for the next requests, what was set for the request's model name, what the
model name itself asks for, the stand-in's default.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping

from tests.support.behaviour import Behaviour, behaviour_from_model_name

_QUEUED_AT_MOST = 10_000


class Script:
    """The behaviours of one stand-in. May be changed from any thread while requests are answered."""

    def __init__(self, default: Behaviour | None = None) -> None:
        self._default = default or Behaviour()
        self._by_model: dict[str, Behaviour] = {}
        self._next: deque[Behaviour] = deque(maxlen=_QUEUED_AT_MOST)
        self._lock = threading.Lock()

    @property
    def default(self) -> Behaviour:
        return self._default

    @default.setter
    def default(self, behaviour: Behaviour) -> None:
        self._default = behaviour

    def set_model(self, model: str, behaviour: Behaviour | None) -> None:
        """Answer requests for `model` so; None: as any other model again."""
        with self._lock:
            if behaviour is None:
                self._by_model.pop(model, None)
            else:
                self._by_model[model] = behaviour

    def queue(self, behaviour: Behaviour, times: int = 1) -> None:
        """Answer the next `times` requests so, whatever their model; then go on as before."""
        with self._lock:
            if len(self._next) + times > _QUEUED_AT_MOST:
                raise ValueError(f"at most {_QUEUED_AT_MOST} behaviours can be queued")
            self._next.extend([behaviour] * times)

    def reset(self) -> None:
        """Back to a default that answers well, nothing queued and no model set."""
        with self._lock:
            self._default = Behaviour()
            self._by_model.clear()
            self._next.clear()

    def behaviour_for(self, model: str) -> Behaviour:
        """The behaviour for a request that arrives now; takes one from the queue if there is one."""
        with self._lock:
            if self._next:
                return self._next.popleft()
            if model in self._by_model:
                return self._by_model[model]
            default = self._default
        return behaviour_from_model_name(model, default) or default

    def by_model(self) -> Mapping[str, Behaviour]:
        """What is set for model names."""
        with self._lock:
            return dict(self._by_model)
