"""What a record says by now of each policy, exception and object, and what of some news it does not say yet.

So a writer needs no memory of its own: whoever goes on with a record writes what is not in it, once.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any

from pointsman.api.meta import ObjectKey
from pointsman.errors import PointsmanError
from pointsman.json_text import dumped
from pointsman.policy.compiled import Compiled
from pointsman.policy.evidence import bodies, pods
from pointsman.policy.evidence.bodies import Body
from pointsman.policy.evidence.record import EntryKind

Place = tuple[str, str, str]
"""Kind, namespace and name of an object."""


@dataclass(frozen=True)
class Held:
    """Whether the API server holds a policy's rules: `native` is the digest of how, "" where it does not, for
    the reason `why`.
    """

    native: str
    why: str = ""


@dataclass(frozen=True)
class PolicySeen:
    """A policy is this now. `rules` is the digest of its rules; `held` is None where that shows later."""

    at: datetime
    uid: str
    generation: int
    compiled: Compiled
    rules: str
    held: Held | None

    @property
    def policy(self) -> str:
        return self.compiled.name


@dataclass(frozen=True)
class PolicyGone:
    at: datetime
    policy: str


@dataclass(frozen=True)
class ObjectJudged:
    """What a policy's rules say of an object; None: it is gone. `body` as `bodies.verdict` makes it."""

    at: datetime
    policy: str
    place: Place
    body: Mapping[str, Any] | None


@dataclass(frozen=True)
class PodsJudged:
    """What a policy's rules say of all pods of a deployment: by the name of the entry, its body.

    Those of a template stay where `may_return` and none of another is there: a deployment that was scaled to
    zero, or is between two pods, is no news.
    """

    at: datetime
    policy: str
    deployment: ObjectKey
    found: Mapping[str, Mapping[str, Any]]
    may_return: bool


@dataclass(frozen=True)
class ObjectsOutside:
    """What a policy is not for, or no longer."""

    at: datetime
    policy: str
    places: tuple[Place, ...]


@dataclass(frozen=True)
class PodsOutside:
    """Of whose pods a policy says nothing, or no longer."""

    at: datetime
    policy: str
    deployments: tuple[ObjectKey, ...]


News = PolicySeen | PolicyGone | ObjectJudged | ObjectsOutside | PodsJudged | PodsOutside


_Exception = tuple[str, bytes, Mapping[str, Any]]
"""What the record said of it last, what it says without that, and the whole entry."""


@dataclass
class _Policy:
    """One is there if it was compiled."""

    compiled: bytes = b""
    held: bytes = b""
    exceptions: dict[str, _Exception] = field(default_factory=dict)


class Known:
    """Begin with none, and take every entry of the record in its order."""

    def __init__(self) -> None:
        self._policies: dict[str, _Policy] = {}
        self._objects: dict[str, dict[Place, bytes]] = {}
        self._places: dict[Place, Place] = {}
        self._pods: dict[str, dict[ObjectKey, dict[Place, None]]] = {}
        """Entries about pods, by policy and deployment."""

    @property
    def policies(self) -> list[str]:
        """Those that are there, as far as the record knows."""
        return [name for name, one in self._policies.items() if one.compiled]

    def places(self, policy: str) -> list[Place]:
        """The objects of which the record says something."""
        return list(self._objects.get(policy, ()))

    def take(self, kind: EntryKind, body: Mapping[str, Any]) -> None:
        """The record has this entry. PointsmanError for a checkpoint that cannot be read."""
        name = str(body.get("policy"))
        match kind:
            case EntryKind.POLICY:
                self._take_policy(name, body)
            case EntryKind.EXCEPTION:
                state = str(body.get("state"))
                entry = state, _content(body, ("state",)), body
                self._policy(name).exceptions[str(body.get("id"))] = entry
            case EntryKind.VERDICT:
                self._take_verdict(name, body)
            case EntryKind.CHECKPOINT:
                try:
                    self._take_checkpoint(body)
                except (AttributeError, KeyError, TypeError, ValueError):
                    raise PointsmanError(
                        "a checkpoint of the record is not as this version writes them",
                        todo="verify the record, or go on with it with the version that wrote it",
                    ) from None
            case _:
                pass

    def _take_policy(self, name: str, body: Mapping[str, Any]) -> None:
        match body.get("state"):
            case bodies.DELETED:
                self._policies.pop(name, None)
                self._objects.pop(name, None)
                self._pods.pop(name, None)
            case bodies.COMPILED:
                self._policy(name).compiled = _content(body, ("generation",))
            case _:
                self._policy(name).held = _content(body)

    def _take_verdict(self, name: str, body: Mapping[str, Any]) -> None:
        place = (str(body.get("kind")), str(body.get("namespace")), str(body.get("name")))
        self._says(name, place, b"" if body.get("gone") else _packed(body))

    def _says(self, policy: str, place: Place, packed: bytes) -> None:
        """Of an object, b"" of one that is gone."""
        place = self._places.setdefault(place, place)
        of_policy = self._objects.setdefault(policy, {})
        if packed:
            of_policy[place] = packed
        else:
            of_policy.pop(place, None)
        if place[0] != pods.KIND:
            return
        deployment = ObjectKey(place[1], pods.deployment_in(place[2]))
        of_deployment = self._pods.setdefault(policy, {}).setdefault(deployment, {})
        if packed:
            of_deployment[place] = None
        else:
            of_deployment.pop(place, None)

    def _take_checkpoint(self, body: Mapping[str, Any]) -> None:
        for name, one in body.get("policies", {}).items():
            self._policies[name] = _Policy(
                bytes.fromhex(one["compiled"]),
                bytes.fromhex(one["held"]),
                {said["id"]: (said["state"], _content(said, ("state",)), said) for said in one["exceptions"]},
            )
        for name, kind, namespace, of_object, packed in body.get("objects", ()):
            self._says(name, (kind, namespace, of_object), bytes.fromhex(packed))

    def __len__(self) -> int:
        """How many things it knows, each some hundred bytes in a checkpoint."""
        return len(self._policies) + sum(map(len, self._objects.values()))

    def checkpoint(self) -> list[Body]:
        """All of it, for who begins with these entries and takes no others before them."""
        policies = {
            name: {
                "compiled": one.compiled.hex(),
                "held": one.held.hex(),
                "exceptions": [body for _, _, body in one.exceptions.values()],
            }
            for name, one in self._policies.items()
        }
        objects = [
            [name, *place, packed.hex()]
            for name, of_policy in self._objects.items()
            for place, packed in of_policy.items()
        ]
        parts: list[dict[str, Any]] = [{"policies": policies}]
        parts += ({"objects": objects[at : at + _AT_ONCE]} for at in range(0, len(objects), _AT_ONCE))
        return bodies.checkpoint(parts)

    def unrecorded(self, news: News) -> Iterator[Body]:
        """What of it the record does not say; each is to be taken before the next is asked for."""
        match news:
            case PolicySeen():
                yield from self._of_policy(news)
            case PolicyGone():
                yield from self._of_gone(news.policy)
            case ObjectJudged():
                yield from self._of_object(news)
            case ObjectsOutside():
                known = self._objects.get(news.policy, {})
                yield from (bodies.gone(news.policy, *place) for place in news.places if place in known)
            case PodsJudged():
                yield from self._of_pods(news)
            case PodsOutside():
                of_pods = self._pods.get(news.policy, {})
                for one in news.deployments:
                    yield from (bodies.gone(news.policy, *place) for place in tuple(of_pods.get(one, ())))

    def _of_policy(self, news: PolicySeen) -> Iterator[Body]:
        name, known = news.policy, self._policies.get(news.policy, _Policy())
        stated = bodies.compiled(news.compiled, news.rules, news.uid, news.generation)
        if known.compiled != _content(stated[1], ("generation",)):
            yield stated
        yield from _of_exceptions(news, dict(known.exceptions))
        if news.held is not None:
            said = (
                bodies.held(name, news.rules, news.held.native)
                if news.held.native
                else bodies.not_held(name, news.rules, news.held.why)
            )
            if known.held != _content(said[1]):
                yield said

    def _of_gone(self, policy: str) -> Iterator[Body]:
        known = self._policies.get(policy)
        if known is not None:
            yield from _ended(known.exceptions)
            yield bodies.deleted(policy)

    def _of_object(self, news: ObjectJudged) -> Iterator[Body]:
        packed = self._objects.get(news.policy, {}).get(news.place)
        body = news.body
        if body is None or (not body["outcomes"] and packed is None):
            if packed is not None:
                yield bodies.gone(news.policy, *news.place)
            return
        if packed is not None and packed[:_CONTENT] == _content(body):
            return
        missed = _missed(packed, body)
        yield EntryKind.VERDICT, {**body, "missed": missed} if missed else body

    def _of_pods(self, news: PodsJudged) -> Iterator[Body]:
        stays = news.may_return and all(map(pods.pod_in, news.found))
        known = list(self._pods.get(news.policy, {}).get(news.deployment, ()))
        for name, body in news.found.items():
            place = pods.KIND, news.deployment.namespace, name
            yield from self._of_object(ObjectJudged(news.at, news.policy, place, body))
        for place in known:
            if place[2] not in news.found and not (stays and not pods.pod_in(place[2])):
                yield bodies.gone(news.policy, *place)

    def _policy(self, name: str) -> _Policy:
        return self._policies.setdefault(name, _Policy())


def _of_exceptions(news: PolicySeen, known: dict[str, _Exception]) -> Iterator[Body]:
    for one in news.compiled.exemptions:
        state, content, _ = known.pop(one.id, (bodies.ENDED, b"", {}))
        is_over = state in (bodies.ENDED, bodies.EXPIRED)
        said = bodies.exception(news.policy, one, bodies.ADDED if is_over else bodies.CHANGED)
        if content != _content(said[1], ("state",)) or state == bodies.ENDED:
            yield said
            is_over = False
        if one.until <= news.at and not is_over:
            yield bodies.exception(news.policy, one, bodies.EXPIRED)
    yield from _ended(known)


def _ended(known: Mapping[str, _Exception]) -> Iterator[Body]:
    """Those that somebody took out before they expired."""
    for state, _, body in known.values():
        if state not in (bodies.ENDED, bodies.EXPIRED):
            yield EntryKind.EXCEPTION, {**body, "state": bodies.ENDED}


_AT_ONCE = 2_000
"""Objects in one entry of a checkpoint, which is some 300 kilobytes with them."""
_CONTENT, _UID = 16, 8
"""Bytes: there may be a million pairs of a policy and an object, and each is kept as text of 32 bytes."""


_COUNTED = ("missed", "unnamed")
"""What an entry counts by the way: another number is no news."""


def _content(body: Mapping[str, Any], beside: Collection[str] = _COUNTED) -> bytes:
    """Of an entry all but members that may differ in two that say the same."""
    said = {name: value for name, value in body.items() if name not in beside}
    return blake2b(dumped(said, is_sorted=True), digest_size=_CONTENT).digest()


def _packed(body: Mapping[str, Any]) -> bytes:
    uid = blake2b(str(body.get("uid", "")).encode(), digest_size=_UID).digest()
    return _content(body) + uid + int(body.get("generation", 0)).to_bytes(8)


def _missed(packed: bytes | None, body: Mapping[str, Any]) -> int:
    """How many changes of the object's spec came between what the record says and this, unseen."""
    if packed is None:
        return 0
    now = _packed(body)
    same = packed[_CONTENT : _CONTENT + _UID] == now[_CONTENT : _CONTENT + _UID]
    between = int.from_bytes(now[-8:]) - int.from_bytes(packed[-8:]) - 1
    return between if same and between > 0 else 0
