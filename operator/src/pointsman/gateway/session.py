"""One delta discovery stream, without the transport: requests in, responses out.

Order within a change (what Envoy needs so that no request meets a half-made path):
secrets, clusters and endpoints first; listeners and scopes when those are accepted; clusters that are gone
last. Other replicas of a cluster that is in use hold up nobody.

A refused response is split in halves and sent again until each refused resource stands alone; that one is
marked in the store, which then serves its last accepted form or its stub, and everything else goes through.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from envoy.config.route.v3.scoped_route_pb2 import ScopedRouteConfiguration
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse

from pointsman.gateway.store import ResourceStore
from pointsman.routing.resources import CLUSTER, ENDPOINTS, LISTENER, SCOPE, SECRET, Resource

_GROUND = (SECRET, CLUSTER, ENDPOINTS)
_ROOF = (LISTENER, SCOPE)
_WILDCARD = frozenset({CLUSTER, LISTENER, SCOPE})
_EVERYTHING = "*"
# No resource's version. After a refusal Envoy may still hold something under the name, in whichever form.
_UNKNOWN = ""
# More culprits than this are found by halves in fewer responses than one by one.
_MOST_NAMED = 8


@dataclass(slots=True)
class _Type:
    """What is known of one resource type on this stream."""

    names: set[str] = field(default_factory=set)
    everything: bool = False
    answered: bool = False
    sent: dict[str, str] = field(default_factory=dict)
    acked: dict[str, str] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)

    def forget(self, name: str) -> None:
        """Envoy does not ask for it any more, or was told that it is gone."""
        self.sent.pop(name, None)
        self.acked.pop(name, None)


@dataclass(frozen=True, slots=True)
class _InFlight:
    type_url: str
    resources: tuple[Resource, ...]
    # Whether others wait for the verdict. Not for other replicas of a cluster that is in use: where these
    # come and go all the time, no scope would ever get its turn.
    holds_up: bool = True


class DeltaSession:
    """State of one stream. Not thread-safe; lives on the event loop of the server."""

    def __init__(self, store: ResourceStore) -> None:
        self._store = store
        self._types: dict[str, _Type] = {}
        self._in_flight: dict[str, _InFlight] = {}
        self._again: list[_InFlight] = []
        self._nonce = 0
        # The store's revision at which nothing of a type was due, nothing gone, and the endpoints of every
        # cluster asked for.
        self._nothing_due: dict[str, int] = {}
        self._nothing_gone: dict[str, int] = {}
        self._all_asked: int | None = None
        self.has_settled = False
        """Whether Envoy has ever said yes or no to everything, since this stream began."""
        self.heard = 0
        """How often Envoy said something that routes depend on: not of replicas, which come and go."""

    def receive(self, request: DeltaDiscoveryRequest) -> None:
        """Take a subscription change, an acceptance or a refusal."""
        self.heard += request.type_url != ENDPOINTS
        self._nothing_due.pop(request.type_url, None)
        if request.resource_names_subscribe or request.resource_names_unsubscribe:
            self._all_asked = None
        if request.initial_resource_versions:
            self._nothing_gone.pop(request.type_url, None)
        known = self._types.get(request.type_url)
        first = known is None
        if known is None:
            known = self._types[request.type_url] = _Type()
            if request.type_url in _WILDCARD and not request.resource_names_subscribe:
                known.everything = True
        for name in request.resource_names_subscribe:
            if name == _EVERYTHING:
                known.everything = True
            else:
                known.names.add(name)
                known.sent.pop(name, None)
                known.absent.discard(name)
        for name in request.resource_names_unsubscribe:
            known.names.discard(name)
            known.absent.discard(name)
            known.forget(name)
        if first:
            self._resume(request, known)
        if request.response_nonce:
            self._verdict(request)

    def _resume(self, request: DeltaDiscoveryRequest, known: _Type) -> None:
        """What Envoy holds from an earlier stream.

        Endpoints are sent again all the same: a cluster that changed before the stream broke waits for them.
        """
        for name, version in request.initial_resource_versions.items():
            if request.type_url != ENDPOINTS:
                known.sent[name] = version
            known.acked[name] = version
            self._store.doubt((request.type_url, name), version)

    def _verdict(self, request: DeltaDiscoveryRequest) -> None:
        flight = self._in_flight.pop(request.response_nonce, None)
        if flight is None:
            return
        known = self._types[flight.type_url]
        if not request.HasField("error_detail"):
            for resource in flight.resources:
                # What went meanwhile is on its way out.
                if resource.name in known.sent:
                    known.acked[resource.name] = resource.version
                self._store.accept(resource)
            return
        reason = " ".join(request.error_detail.message.split())
        is_culprit = len(flight.resources) == 1
        again = () if is_culprit else tuple(r for r in flight.resources if self._is_current(r))
        for resource in flight.resources:
            if known.sent.get(resource.name) == resource.version:
                known.sent[resource.name] = _UNKNOWN
        for resource in again:
            known.sent[resource.name] = resource.version
        self._again += [_InFlight(flight.type_url, part) for part in _split(again, reason)]
        if is_culprit:
            self._store.refuse(flight.resources[0], reason)

    def _is_current(self, resource: Resource) -> bool:
        """Whether this is still what was sent last and what is to be served.

        If not, something newer follows, and sending this once more would put the older form in its place.
        """
        served = self._store.served(resource.type_url, resource.name)
        sent = self._types[resource.type_url].sent.get(resource.name)
        return served is not None and resource.version == served.version == sent

    def responses(self) -> list[DeltaDiscoveryResponse]:
        """Everything that may be sent now."""
        out = [self._response(flight.type_url, flight.resources) for flight in self._again]
        for flight in self._again:
            for resource in flight.resources:
                self._send_again_what_waits(resource)
        self._again.clear()
        for type_url in _GROUND:
            out += self._changes(type_url)
        if self._ground_is_ready():
            for type_url in _ROOF:
                out += self._changes(type_url)
                out += self._removals(type_url)
            # Before the scopes of this stream are known, nothing tells which clusters they still name.
            if SCOPE in self._types and not any(flight.holds_up for flight in self._in_flight.values()):
                self._store.forget_unneeded()
                out += self._removals(CLUSTER)
        self.has_settled = self.has_settled or self.settled()
        return out

    def settled(self) -> bool:
        """Whether Envoy has said yes or no to everything that it asked for."""
        return (
            SCOPE in self._types
            and not self._in_flight
            and not self._again
            and self._ground_is_ready()
            and not any(True for type_url in _GROUND + _ROOF for _ in self._due(type_url))
        )

    def holds(self, resource: Resource) -> bool:
        """Whether Envoy has accepted exactly this version on this stream."""
        known = self._types.get(resource.type_url)
        return known is not None and known.acked.get(resource.name) == resource.version

    def goes_by(self, resource: Resource) -> bool:
        """`holds`, and no other version is on its way: what comes and goes may come again as it was."""
        return self.holds(resource) and not any(
            one.name == resource.name
            for flight in self._in_flight.values()
            if flight.type_url == resource.type_url
            for one in flight.resources
        )

    def _subscribed(self, type_url: str) -> Iterable[str]:
        known = self._types.get(type_url)
        if known is None:
            return ()
        return self._store.names(type_url) if known.everything else known.names

    def _due(self, type_url: str) -> Iterable[Resource]:
        known, revision = self._types.get(type_url), self._store.revision(type_url)
        if known is None or self._nothing_due.get(type_url) == revision:
            return
        sent, is_any = known.sent, False
        for name in self._subscribed(type_url):
            served = self._store.served(type_url, name)
            if served is not None and sent.get(name) != served.version:
                is_any = True
                yield served
        if not is_any:
            self._nothing_due[type_url] = revision

    def _changes(self, type_url: str) -> list[DeltaDiscoveryResponse]:
        known = self._types.get(type_url)
        if known is None:
            return []
        due = tuple(self._due(type_url))
        self._confirm(type_url)
        # A name that does not exist must be answered too, or Envoy waits for it until its fetch timeout.
        missing = [name for name in known.names - known.absent if self._store.served(type_url, name) is None]
        known.absent.update(missing)
        for name in missing:
            known.forget(name)
        holds_up = type_url != ENDPOINTS or not all(known.sent.get(resource.name) for resource in due)
        for resource in due:
            known.sent[resource.name] = resource.version
            known.absent.discard(resource.name)
            self._send_again_what_waits(resource)
        if not due and not missing and (known.answered or not known.everything):
            return []
        known.answered = True
        # Apart, since Envoy passes over the removals of a response that it refuses. Nothing at all is an
        # answer too: without it Envoy starts only after its fetch timeout of 15 s.
        out = [self._response(type_url, due, holds_up=holds_up)] if due or not missing else []
        return [*out, self._response(type_url, removed=missing)] if missing else out

    def _confirm(self, type_url: str) -> None:
        """Say to the store what Envoy holds although it has not been told so.

        The verdict was lost with an earlier stream, or the resource came back before it was taken away.
        """
        for name in self._store.doubtful(type_url):
            served = self._store.served(type_url, name)
            sent = self._types[type_url].sent.get(name)
            if served is not None and sent == served.version and self.holds(served):
                self._store.accept(served)

    def _send_again_what_waits(self, resource: Resource) -> None:
        """Have what a new or changed resource needs sent after it, whether or not it is the same.

        Envoy takes a cluster when it has its endpoints, and a listener when it has scopes, and does not ask
        for what it has subscribed to.
        """
        if resource.endpoints and ENDPOINTS in self._types:
            self._types[ENDPOINTS].sent.pop(resource.endpoints, None)
            self._types[ENDPOINTS].absent.discard(resource.endpoints)
            self._nothing_due.pop(ENDPOINTS, None)
        if resource.type_url == LISTENER and SCOPE in self._types:
            self._nothing_due.pop(SCOPE, None)
            self._types[SCOPE].sent = dict.fromkeys(self._types[SCOPE].sent, _UNKNOWN)

    def _removals(self, type_url: str) -> list[DeltaDiscoveryResponse]:
        known, revision = self._types.get(type_url), self._store.revision(type_url)
        if known is None or not known.everything or self._nothing_gone.get(type_url) == revision:
            return []
        gone = [name for name in known.sent if self._store.served(type_url, name) is None]
        if not gone:
            self._nothing_gone[type_url] = revision
            return []
        for name in gone:
            known.forget(name)
        return [self._response(type_url, removed=gone)]

    def _ground_is_ready(self) -> bool:
        """Clusters accepted, and the endpoints that they wait for asked for and accepted."""
        in_flight = self._in_flight.values()
        if CLUSTER not in self._types or any(f.type_url in _GROUND and f.holds_up for f in in_flight):
            return False
        if any(flight.type_url in _GROUND for flight in self._again):
            return False
        return self._has_asked_for_endpoints() and not any(
            True for type_url in _GROUND for _ in self._due(type_url)
        )

    def _has_asked_for_endpoints(self) -> bool:
        """Whether Envoy has asked for the endpoints of every cluster."""
        revision = self._store.revision(CLUSTER)
        if self._all_asked == revision:
            return True
        asked = self._types[ENDPOINTS].names if ENDPOINTS in self._types else set()
        for name in self._store.names(CLUSTER):
            served = self._store.served(CLUSTER, name)
            if served is not None and served.endpoints and served.endpoints not in asked:
                return False
        self._all_asked = revision
        return True

    def _response(
        self,
        type_url: str,
        resources: tuple[Resource, ...] = (),
        removed: Iterable[str] = (),
        *,
        holds_up: bool = True,
    ) -> DeltaDiscoveryResponse:
        self._nonce += 1
        mark = _mark(self._store.next_mark()) if resources and type_url == SCOPE else b""
        response = DeltaDiscoveryResponse(type_url=type_url, nonce=str(self._nonce))
        for resource in resources:
            item = response.resources.add(name=resource.name, version=resource.version)
            item.resource.type_url = type_url
            item.resource.value = resource.body + mark
        response.removed_resources.extend(removed)
        self._in_flight[response.nonce] = _InFlight(type_url, resources, holds_up)
        return response


def _mark(number: int) -> bytes:
    """What makes a scope differ from any that was sent before.

    When Envoy refuses a response it remembers the scopes before the culprit as read and does not hand them
    to its workers; the same bytes, whenever they come, would be passed over as nothing new. Appended to a
    message, these are merged into it.
    """
    difference = ScopedRouteConfiguration()
    difference.route_configuration.metadata.filter_metadata["pointsman.sent"]["number"] = number
    mark: bytes = difference.SerializeToString(deterministic=True)
    return mark


def _split(resources: tuple[Resource, ...], reason: str) -> list[tuple[Resource, ...]]:
    """Parts of a refused response, to find the culprits: those that the reason names alone, else halves."""
    named = [r for r in resources if f"{r.name}:" in reason or f"'{r.name}'" in reason]
    if 0 < len(named) <= _MOST_NAMED:
        rest = tuple(r for r in resources if r not in named)
        parts = [*((r,) for r in named), rest]
    else:
        middle = len(resources) // 2
        parts = [resources[:middle], resources[middle:]]
    return [part for part in parts if part]
