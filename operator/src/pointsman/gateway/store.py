"""What Envoy should have, what it refused, and what it last accepted: the memory of the discovery service.

One store serves every stream that Envoy opens, so a restarted Envoy gets the last accepted form of a refused
resource, never the form that was refused. Clusters that such an earlier form of a scope names are served for
as long as it is in use, even where no route wants them any more.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pointsman.routing.resources import CLUSTER, SERVING_ORDER, Resource, ResourceSet, version_of

ResourceId = tuple[str, str]
"""Type URL and name."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Envoy's reason for refusing one version of a resource."""

    version: str
    reason: str


class ResourceStore:
    """Desired resources and Envoy's verdict on each."""

    def __init__(self) -> None:
        self._desired: ResourceSet = {type_url: {} for type_url in SERVING_ORDER}
        self._accepted: dict[ResourceId, Resource] = {}
        # How many of the accepted scopes name a cluster.
        self._needed: Counter[str] = Counter()
        # Of which Envoy may hold a form that is not known here as accepted.
        self._doubtful: set[ResourceId] = set()
        self._refused: dict[ResourceId, Refusal] = {}
        # Those of the refused that Envoy is asked to take once more.
        self._on_trial: set[ResourceId] = set()
        # None where the stub was refused too: nothing is served then.
        self._stubs: dict[ResourceId, Resource | None] = {}
        self._watchers: set[asyncio.Event] = set()
        self._mark = 0
        self._revisions: Counter[str] = Counter()
        self._tidied_at = -1

    def replace(self, desired: ResourceSet) -> None:
        """Take a new desired set; verdicts on resources that are gone or differ now are forgotten. What has
        changed of a type comes in another mapping.
        """
        self._revisions.update(
            type_url
            for type_url in {*self._desired, *desired}
            if self._desired.get(type_url) is not desired.get(type_url)
        )
        self._desired = desired
        for ident, accepted in list(self._accepted.items()):
            wanted = self.wanted(ident)
            is_gone = wanted is None and ident[0] != CLUSTER
            # Whoever lost the right to call must not keep it because an edit is refused.
            if is_gone or (wanted is not None and not accepted.may_stand_in_for(wanted)):
                self._forget(ident)
                self._doubtful.add(ident)
        for ident, refusal in list(self._refused.items()):
            wanted = self.wanted(ident)
            if wanted is None or wanted.version != refusal.version:
                self._clear(ident)
        self.notify()

    def revision(self, type_url: str) -> int:
        """Another number once what is served of a type may be something else. Without it a session would look
        at every resource for each replica that comes or goes: with 2,000 targets 16 ms, and 4 with it.
        """
        return self._revisions[type_url]

    def wanted(self, ident: ResourceId) -> Resource | None:
        """The desired form, whether Envoy takes it or not."""
        return self._desired.get(ident[0], {}).get(ident[1])

    def served(self, type_url: str, name: str) -> Resource | None:
        """What to send: the desired form; if refused the last accepted one, else its stub, else nothing."""
        ident = (type_url, name)
        wanted = self.wanted(ident)
        if wanted is None and self._is_kept(ident):
            return self._accepted[ident]
        if wanted is None or ident not in self._refused or ident in self._on_trial:
            return wanted
        accepted = self._accepted.get(ident)
        if accepted is not None:
            return accepted
        if wanted.stub is not None and ident not in self._stubs:
            version = version_of(wanted.stub)
            stub = Resource(type_url, name, wanted.stub, version, wanted.owners, admits=frozenset())
            self._stubs[ident] = stub
        return self._stubs.get(ident)

    def names(self, type_url: str) -> Iterator[str]:
        """Names of one type that are to be served."""
        yield from self._desired.get(type_url, {})
        if type_url == CLUSTER:
            yield from [name for name in self._needed if self.wanted((CLUSTER, name)) is None]

    def accept(self, resource: Resource) -> None:
        """Envoy has taken this form, which may be a stub.

        A form that stands in for a refused one, or is kept, is not exchanged for another: two that were sent
        one after the other would take turns for ever.
        """
        ident = (resource.type_url, resource.name)
        if self._accepted.get(ident) is resource:
            return
        wanted = self.wanted(ident)
        desired = wanted is not None
        if wanted is not None and wanted.version == resource.version:
            self._clear(ident)
        stands_in = ident in self._accepted and (ident in self._refused or not desired)
        is_too_open = wanted is not None and not resource.may_stand_in_for(wanted)
        if stands_in or is_too_open or not (desired or self._is_needed(ident)):
            self._doubtful.add(ident)
            return
        self._doubtful.discard(ident)
        self._forget(ident)
        self._accepted[ident] = resource
        self._needed.update(resource.clusters)
        self._served_anew(resource)

    def doubt(self, ident: ResourceId, version: str) -> None:
        """Envoy says that it holds this version; perhaps it was never heard to accept it."""
        accepted = self._accepted.get(ident)
        if accepted is None or accepted.version != version:
            self._doubtful.add(ident)

    def doubtful(self, type_url: str) -> list[str]:
        """Names of which Envoy may hold a form that is not known here as accepted."""
        return [name for kind, name in self._doubtful if kind == type_url]

    def refuse(self, resource: Resource, reason: str) -> None:
        """Envoy has refused this form, be it the desired one, one it took earlier, or the stub."""
        ident = (resource.type_url, resource.name)
        self._on_trial.discard(ident)
        self._revisions[resource.type_url] += 1
        accepted, stub, wanted = self._accepted.get(ident), self._stubs.get(ident), self.wanted(ident)
        if accepted is not None and accepted.version == resource.version:
            self._forget(ident)
        if stub is not None and stub.version == resource.version:
            self._stubs[ident] = None
        if wanted is not None and wanted.version == resource.version:
            self._refused[ident] = Refusal(resource.version, reason)

    def retry(self, type_url: str) -> None:
        """Have what was refused of this type sent once more; until it is accepted it counts as refused."""
        again = [ident for ident in self._refused if ident[0] == type_url and ident not in self._on_trial]
        self._on_trial.update(again)
        if again:
            self._revisions[type_url] += 1
            self.notify()

    def forget_unneeded(self) -> None:
        """Let go of clusters that neither the desired set nor an accepted scope names.

        To be called when every verdict is in: a scope that is still on its way may turn out to need one.
        """
        # Only clusters are kept without being desired.
        if self._tidied_at != self._revisions[CLUSTER]:
            for ident in [i for i in self._accepted if self.wanted(i) is None and not self._is_needed(i)]:
                self._forget(ident)
            self._tidied_at = self._revisions[CLUSTER]
        self._doubtful = {ident for ident in self._doubtful if self.wanted(ident) is not None}

    def _is_kept(self, ident: ResourceId) -> bool:
        """Whether this is still served although it may not be desired any more."""
        return self._is_needed(ident) and ident in self._accepted

    def _is_needed(self, ident: ResourceId) -> bool:
        """Whether a scope, as Envoy took it last, names this cluster."""
        return ident[0] == CLUSTER and ident[1] in self._needed

    def _served_anew(self, resource: Resource) -> None:
        self._revisions[resource.type_url] += 1
        if resource.clusters:
            # They are served for as long as it names them.
            self._revisions[CLUSTER] += 1

    def _clear(self, ident: ResourceId) -> None:
        if ident in self._refused:
            self._revisions[ident[0]] += 1
        self._refused.pop(ident, None)
        self._stubs.pop(ident, None)
        self._on_trial.discard(ident)

    def _forget(self, ident: ResourceId) -> None:
        accepted = self._accepted.pop(ident, None)
        if accepted is None:
            return
        self._served_anew(accepted)
        for cluster in accepted.clusters:
            self._needed[cluster] -= 1
            if not self._needed[cluster]:
                del self._needed[cluster]

    @property
    def refusals(self) -> dict[ResourceId, Refusal]:
        """Every resource that Envoy refuses at present."""
        return dict(self._refused)

    def next_mark(self) -> int:
        """A number that no stream has had before."""
        self._mark += 1
        return self._mark

    def notify(self) -> None:
        """Wake the streams."""
        for wake in self._watchers:
            wake.set()

    @contextmanager
    def watched_by(self, wake: asyncio.Event) -> Iterator[None]:
        """Set `wake` at every change for as long as the block runs."""
        self._watchers.add(wake)
        try:
            yield
        finally:
            self._watchers.discard(wake)
