"""Accelerators that a fleet has so many of, shared by all that ask for them. Pure.

What others hold or have asked for is taken off from what one may plan. Where together they hold more than
there is, as after a quota was lowered, those that come first by name keep what they have: an order that a
restart does not change.
"""

from collections.abc import Mapping

from pointsman.api import ObjectKey


class Quotas:
    """`quotas` is by accelerator; what has none is not counted."""

    def __init__(self, quotas: Mapping[str, int]) -> None:
        self._quotas = dict(quotas)
        self._held: dict[str, dict[ObjectKey, int]] = {name: {} for name in quotas}
        self._totals = dict.fromkeys(quotas, 0)
        # Worked out where there is too little, and kept until somebody holds something else.
        self._granted: dict[str, Mapping[ObjectKey, int]] = {}

    @property
    def is_empty(self) -> bool:
        return not self._quotas

    def hold(self, key: ObjectKey, accelerators: Mapping[str, int]) -> None:
        """All that it holds or asks for by now, in place of what it did before."""
        for name, held in self._held.items():
            count, before = accelerators.get(name, 0), held.get(key, 0)
            if count == before:
                continue
            self._totals[name] += count - before
            self._granted.pop(name, None)
            held[key] = count
            if not count:
                del held[key]

    def left(self, key: ObjectKey, accelerator: str) -> int | None:
        """How many it may have in all; None where nobody counts them."""
        quota = self._quotas.get(accelerator)
        if quota is None:
            return None
        held = self._held[accelerator]
        if self._totals[accelerator] <= quota:
            return quota - self._totals[accelerator] + held.get(key, 0)
        granted = self._granted.get(accelerator)
        if granted is None:
            granted = self._granted[accelerator] = _granted(held, quota)
        return granted.get(key, 0)


def _granted(held: Mapping[ObjectKey, int], quota: int) -> Mapping[ObjectKey, int]:
    found = {}
    for key, count in sorted(held.items()):
        found[key] = min(count, quota)
        quota -= found[key]
    return found
