"""The policies that hold by now and the labels of namespaces, and who judges by them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Protocol

from pointsman.api import ObjectKey
from pointsman.policy.compiled import Compiled


class Judging(Protocol):
    """Judges something by the policies that hold."""

    def begin(self) -> None:
        """No policy holds, as far as is known by now."""

    def holds(self, policy: ObjectKey) -> None:
        """It has other rules or exceptions from now on."""

    def again(self, policy: ObjectKey) -> None:
        """Time passed that its rules know of, or what was said of it is lost: say all of it again."""

    def forget(self, policy: ObjectKey) -> None:
        """It is gone."""

    def saw_namespace(self, name: str) -> None:
        """It has other labels, came or went."""


class InForce:
    """Those who judge `listen`; nobody else keeps what holds."""

    def __init__(self) -> None:
        self._policies: dict[ObjectKey, Compiled] = {}
        self._left_out: frozenset[str] = frozenset()
        self._labels: dict[str, Mapping[str, str]] = {}
        self._judging: list[Judging] = []

    def listen(self, judging: Judging) -> None:
        self._judging.append(judging)

    def begin(self) -> None:
        """No policy is known: who leads from now on says which there are. Namespaces are."""
        self._policies.clear()
        for one in self._judging:
            one.begin()

    def hold(self, policy: ObjectKey, compiled: Compiled, left_out: Collection[str] = ()) -> None:
        """These are the policy's rules and exceptions from now on; the same again changes nothing.
        `left_out` are namespaces that no rule is for.
        """
        self._left_out = frozenset(left_out)
        if self._policies.get(policy) is not compiled:
            self._policies[policy] = compiled
            for one in self._judging:
                one.holds(policy)

    def again(self, policy: ObjectKey) -> None:
        """See `Judging`; of one that does not hold there is nothing to say."""
        if policy in self._policies:
            for one in self._judging:
                one.again(policy)

    def forget(self, policy: ObjectKey) -> None:
        """The policy is gone."""
        if self._policies.pop(policy, None) is not None:
            for one in self._judging:
                one.forget(policy)

    def saw_namespace(self, name: str, labels: Mapping[str, str] | None) -> None:
        """A namespace has these labels; None: it is gone."""
        if self._labels.get(name) == labels:
            return
        if labels is None:
            self._labels.pop(name, None)
        else:
            self._labels[name] = labels
        for one in self._judging:
            one.saw_namespace(name)

    def __contains__(self, policy: ObjectKey) -> bool:
        return policy in self._policies

    def __iter__(self) -> Iterator[ObjectKey]:
        return iter(self._policies)

    def __bool__(self) -> bool:
        """Whether any holds."""
        return bool(self._policies)

    def get(self, policy: ObjectKey) -> Compiled | None:
        """Its rules and exceptions; None where it does not hold."""
        return self._policies.get(policy)

    def all(self) -> Iterable[tuple[ObjectKey, Compiled]]:
        """As they are now, whatever comes or goes meanwhile."""
        return tuple(self._policies.items())

    def namespace(self, name: str) -> dict[str, Any]:
        """As rules see it."""
        return {"metadata": {"name": name, "labels": dict(self._labels.get(name, {}))}}

    def leaves_out(self, namespace: str) -> bool:
        """Whether no rule of any policy is for it."""
        return namespace in self._left_out

    def is_for(self, compiled: Compiled, namespace: str) -> bool:
        """Whether the policy's rules are for what is in a namespace with its labels."""
        if self.leaves_out(namespace):
            return False
        return compiled.namespaces is None or compiled.namespaces.matches(self._labels.get(namespace, {}))
