"""What the recorder is told, and what it asks: the rest of the operator does not know how it writes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pointsman.api import ObjectKey
from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.policy.compiled import Compiled
from pointsman.policy.evidence.gathered import PodLooked
from pointsman.policy.evidence.known import Held
from pointsman.policy.verdicts import Verdict


@dataclass(frozen=True)
class Recording:
    """How the record is doing. `why` says why it cannot be written, "" where it can; `head` is the hash of
    its last entry, "" before anything of it is known.
    """

    why: str = ""
    entries: int = 0
    head: str = ""


@dataclass(frozen=True)
class Looked:
    """What a look at an object found. `live` is it as the API server shows it to rules, None: it is gone."""

    kind: PolicyKind | None
    """None: a Namespace itself."""
    key: ObjectKey
    live: Mapping[str, Any] | None = None
    namespace: Mapping[str, Any] | None = None
    found: Sequence[Verdict] = ()


class Hearing(Protocol):
    """Hears of every look at an object, whether it found something else than before or not."""

    def judged(self, compiled: Compiled, looked: Looked) -> None: ...

    def outside(self, compiled: Compiled, looked: Sequence[Looked]) -> None:
        """What the policy is not for, and may have been for."""

    def judged_pods(
        self, compiled: Compiled, deployment: ObjectKey, looked: Sequence[PodLooked], *, may_return: bool
    ) -> None:
        """All pods of a deployment; see `PodsJudged`."""

    def pods_outside(self, compiled: Compiled, deployments: Sequence[ObjectKey]) -> None:
        """Deployments of whose pods the policy says nothing, and may have said something."""

    async def room(self) -> None:
        """Wait until what was heard is not too much."""


class HearsPolicies(Protocol):
    """Hears of every look at a policy."""

    def saw(self, compiled: Compiled, uid: str, generation: int, held: Held | None) -> None: ...

    def gone(self, policy: ObjectKey) -> None: ...


class Policies(Protocol):
    """Is told of policies, and says how the record is doing, for their statuses."""

    @property
    def heard(self) -> HearsPolicies: ...

    @property
    def recording(self) -> Recording: ...


class Fleet(Protocol):
    """What there is, for who begins to write: the record may speak of what is no more."""

    def policies(self) -> Iterable[ObjectKey]: ...

    def has(self, kind: str, key: ObjectKey) -> bool: ...

    def heads(self) -> Collection[str]:
        """Hashes that the record is known to have had, as policies' statuses show them."""

    def look_again(self, policy: ObjectKey) -> None:
        """What was heard of it was too much to keep: say all of it again."""

    def changed(self, policy: ObjectKey, *, is_urgent: bool) -> None:
        """There is something else to say of the recording."""
