"""Envoy as the discovery service sees it: takes responses, holds what it accepts, asks for what that names.

Pure: no sockets and no clock. As in Envoy, a new or changed cluster is of no use until endpoints were sent
for it, nor a listener until scopes were, and it does not ask again for what it has asked for. It also watches
what no client may ever meet: a scope before its clusters and their endpoints, or a cluster taken away while a
scope names it. Breaking either is an AssertionError.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.route.v3.scoped_route_pb2 import ScopedRouteConfiguration
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from pointsman.routing.resources import CLUSTER, ENDPOINTS, LISTENER, SCOPE, SECRET

Refuses = Callable[[str, str, bytes], bool]
"""Type URL, name, body -> whether Envoy refuses it."""

_WILDCARD = (CLUSTER, LISTENER, SCOPE)
_BY_NAME = (SECRET, ENDPOINTS)


@dataclass(frozen=True)
class Held:
    version: str
    body: bytes


def nothing_refused(type_url: str, name: str, body: bytes) -> bool:
    return False


class EnvoyStandIn:
    """One Envoy, over any number of streams and restarts.

    `names_culprits`: whether a refusal names the resource, as Envoy's clusters do and its scopes do not.
    `keeps_the_good`: whether it uses the good resources of a refused response, as it does with clusters. If
    not, it stops at the first bad one: endpoints and secrets before it are used, scopes before it are only
    read (the same bytes again are nothing new, and never get into use), and nothing is removed.
    """

    def __init__(
        self,
        refuses: Refuses = nothing_refused,
        *,
        names_culprits: bool = True,
        keeps_the_good: bool = True,
    ) -> None:
        self.refuses = refuses
        self._names_culprits = names_culprits
        self._keeps_the_good = keeps_the_good
        self.refused: set[tuple[str, str]] = set()
        self.restart()

    def restart(self) -> None:
        """A new process: it holds nothing."""
        self.held: dict[str, dict[str, Held]] = {t: {} for t in (*_WILDCARD, *_BY_NAME)}
        self._asked: dict[str, set[str]] = {t: set() for t in _BY_NAME}
        self._told_absent: set[tuple[str, str]] = set()
        self._answered: set[str] = set()
        self._read: dict[str, bytes] = {}
        self.warming: set[str] = set()
        self.is_without_scopes = True
        self._open: set[str] = set()

    def connect(self) -> list[DeltaDiscoveryRequest]:
        """What a new stream begins with: all that was asked for, with the versions that are held of it."""
        self._open.add(CLUSTER)
        requests = []
        for type_url in (CLUSTER, ENDPOINTS, SECRET, LISTENER, SCOPE):
            if type_url not in self._open and not self._asked.get(type_url):
                continue
            request = DeltaDiscoveryRequest(type_url=type_url)
            request.resource_names_subscribe.extend(sorted(self._asked.get(type_url, ())))
            for name, held in self.held[type_url].items():
                request.initial_resource_versions[name] = held.version
            requests.append(request)
        return requests

    def versions(self, type_url: str) -> dict[str, str]:
        """The version of each resource that is held."""
        return {name: held.version for name, held in self.held[type_url].items()}

    def asked(self) -> set[str]:
        """The names that are subscribed to."""
        return set().union(*self._asked.values())

    def take(self, response: DeltaDiscoveryResponse) -> list[DeltaDiscoveryRequest]:
        """Use a response; what is asked for because of it comes before the verdict, as Envoy has it."""
        type_url = response.type_url
        bad = [r.name for r in response.resources if self.refuses(type_url, r.name, r.resource.value)]
        self.refused.update((type_url, name) for name in bad)
        self._answered.add(type_url)
        if type_url == SCOPE and not bad:
            self.is_without_scopes = False
        stops = bool(bad) and not self._keeps_the_good
        for resource in response.resources:
            if type_url == ENDPOINTS:
                self._warm({resource.name})
            if resource.name not in bad:
                held = Held(resource.version, resource.resource.value)
                if type_url == SCOPE:
                    self._read_scope(resource.name, held, in_use=not stops)
                elif not stops or type_url in _BY_NAME:
                    self._hold(type_url, resource.name, held)
            elif stops:
                break
        if not stops:
            if type_url == ENDPOINTS:
                self._warm(set(response.removed_resources))
            for name in response.removed_resources:
                self._drop(type_url, name)
        requests = [*self._subscriptions(), *self._next_type()]
        verdict = DeltaDiscoveryRequest(type_url=type_url, response_nonce=response.nonce)
        if bad:
            verdict.error_detail.code = 13
            verdict.error_detail.message = self._reason(bad)
        return [*requests, verdict]

    def _reason(self, bad: Iterable[str]) -> str:
        if not self._names_culprits:
            return "something in here is not valid"
        return "Error adding/updating: " + ", ".join(f"{name}: not valid" for name in bad)

    def _read_scope(self, name: str, held: Held, *, in_use: bool) -> None:
        if self._read.get(name) == held.body:
            return
        self._read[name] = held.body
        if in_use:
            self._hold(SCOPE, name, held)

    def _hold(self, type_url: str, name: str, held: Held) -> None:
        self._told_absent.discard((type_url, name))
        self.refused.discard((type_url, name))
        if type_url in _BY_NAME and name not in self._asked[type_url]:
            return
        if type_url == SCOPE:
            for cluster in clusters_of(held.body):
                self._expect_usable(cluster, name)
        if type_url == CLUSTER and held != self.held[CLUSTER].get(name):
            self.warming.discard(name)
            self.warming |= {name} if names_of(held.body)[ENDPOINTS] else set()
        if type_url == LISTENER and held != self.held[LISTENER].get(name):
            self.is_without_scopes = True
        self.held[type_url][name] = held

    def _warm(self, endpoints: set[str]) -> None:
        """Any word about its endpoints makes a cluster usable, the worst being that there are none."""
        held = self.held[CLUSTER]
        self.warming -= {name for name in self.warming if names_of(held[name].body)[ENDPOINTS] <= endpoints}

    def _expect_usable(self, cluster: str, scope: str) -> None:
        found = self.held[CLUSTER].get(cluster)
        if found is None:
            assert (CLUSTER, cluster) in self.refused, f"scope {scope} came before its cluster {cluster}"
            return
        assert cluster not in self.warming, f"scope {scope} came before {cluster} had its endpoints"
        for type_url, names in names_of(found.body).items():
            for name in names:
                known = name in self.held[type_url] or {(type_url, name)} & (self._told_absent | self.refused)
                assert known, f"scope {scope} came before {name} of its cluster {cluster}"

    def _drop(self, type_url: str, name: str) -> None:
        if type_url == CLUSTER and (type_url, name) not in self.refused:
            users = [s for s, held in self.held[SCOPE].items() if name in clusters_of(held.body)]
            assert not users, f"cluster {name} was taken away while the scopes {users} name it"
        self.held[type_url].pop(name, None)
        if type_url == SCOPE:
            self._read.pop(name, None)
        if type_url == CLUSTER:
            self.warming.discard(name)
        if type_url in _BY_NAME:
            self._told_absent.add((type_url, name))

    def _subscriptions(self) -> Iterator[DeltaDiscoveryRequest]:
        wanted: dict[str, set[str]] = {t: set() for t in _BY_NAME}
        for held in self.held[CLUSTER].values():
            for type_url, names in names_of(held.body).items():
                wanted[type_url] |= names
        for type_url in _BY_NAME:
            asked = self._asked[type_url]
            if wanted[type_url] != asked:
                request = DeltaDiscoveryRequest(type_url=type_url)
                request.resource_names_subscribe.extend(sorted(wanted[type_url] - asked))
                request.resource_names_unsubscribe.extend(sorted(asked - wanted[type_url]))
                for name in asked - wanted[type_url]:
                    self.held[type_url].pop(name, None)
                    self._told_absent.discard((type_url, name))
                self._asked[type_url] = wanted[type_url]
                yield request

    def _next_type(self) -> Iterator[DeltaDiscoveryRequest]:
        """Listeners are asked for once clusters can be used, scopes once a listener was read."""
        if LISTENER not in self._open and CLUSTER in self._answered and not self._waits_for():
            self._open.add(LISTENER)
            yield DeltaDiscoveryRequest(type_url=LISTENER)
        has_read_one = self.held[LISTENER] or any(type_url == LISTENER for type_url, _ in self.refused)
        if SCOPE not in self._open and has_read_one:
            self._open.add(SCOPE)
            yield DeltaDiscoveryRequest(type_url=SCOPE)

    def _waits_for(self) -> set[tuple[str, str]]:
        asked = {(type_url, name) for type_url in _BY_NAME for name in self._asked[type_url]}
        held = {(type_url, name) for type_url in _BY_NAME for name in self.held[type_url]}
        return asked - held - self._told_absent - self.refused


@lru_cache(maxsize=4096)
def clusters_of(scope: bytes) -> frozenset[str]:
    """The clusters that a scope names, in whichever of Envoy's ways."""
    value = _as_dict(ScopedRouteConfiguration.FromString(scope))
    return frozenset(_values_of(value, ("cluster", "cluster_name", "clusterName")))


@lru_cache(maxsize=4096)
def names_of(cluster: bytes) -> dict[str, frozenset[str]]:
    """The endpoints and secrets that a cluster asks for by name."""
    message = Cluster.FromString(cluster)
    eds = message.eds_cluster_config.service_name or message.name
    endpoints = {eds} if message.type == Cluster.EDS else set()
    return {ENDPOINTS: frozenset(endpoints), SECRET: frozenset(_secrets_in(_as_dict(message)))}


def _as_dict(message: Message) -> dict[str, Any]:
    value: dict[str, Any] = MessageToDict(message)
    return value


def _values_of(value: object, keys: tuple[str, ...]) -> Iterator[str]:
    for found in _dicts_in(value):
        yield from (found[key] for key in keys if isinstance(found.get(key), str))


def _secrets_in(value: object) -> Iterator[str]:
    for found in _dicts_in(value):
        if ("sds_config" in found or "sdsConfig" in found) and "name" in found:
            yield found["name"]


def _dicts_in(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _dicts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _dicts_in(inner)
