"""What Envoy should have, what it refused, and what it last accepted: the memory of the discovery service.

One store serves every stream that Envoy opens, so a restarted Envoy gets the last accepted form of a refused
resource, never the form that was refused.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pointsman.api import ObjectKey
from pointsman.routing.resources import SERVING_ORDER, Resource, ResourceSet, version_of

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
        self._refused: dict[ResourceId, Refusal] = {}
        # None where the stub was refused too: nothing is served then.
        self._stubs: dict[ResourceId, Resource | None] = {}
        self._watchers: set[asyncio.Event] = set()

    def replace(self, desired: ResourceSet) -> None:
        """Take a new desired set; verdicts on resources that are gone or differ now are forgotten."""
        self._desired = desired
        for ident in [i for i in self._accepted if i[1] not in desired.get(i[0], {})]:
            del self._accepted[ident]
        for ident, refusal in list(self._refused.items()):
            wanted = self.wanted(ident)
            if wanted is None or wanted.version != refusal.version:
                del self._refused[ident]
                self._stubs.pop(ident, None)
        self.notify()

    def wanted(self, ident: ResourceId) -> Resource | None:
        """The desired form, whether Envoy takes it or not."""
        return self._desired.get(ident[0], {}).get(ident[1])

    def served(self, type_url: str, name: str) -> Resource | None:
        """What to send: the desired form; if refused the last accepted one, else its stub, else nothing."""
        wanted = self._desired.get(type_url, {}).get(name)
        ident = (type_url, name)
        if wanted is None or ident not in self._refused:
            return wanted
        accepted = self._accepted.get(ident)
        if accepted is not None:
            return accepted
        if wanted.stub is not None and ident not in self._stubs:
            stub = Resource(type_url, name, wanted.stub, version_of(wanted.stub), wanted.owners)
            self._stubs[ident] = stub
        return self._stubs.get(ident)

    def names(self, type_url: str) -> Iterator[str]:
        """Names of one type that are to be served."""
        return iter(self._desired.get(type_url, {}))

    def accept(self, resource: Resource) -> None:
        """Envoy has taken this form."""
        ident = (resource.type_url, resource.name)
        wanted = self.wanted(ident)
        if wanted is not None and ident not in self._stubs:
            self._accepted[ident] = resource

    def refuse(self, resource: Resource, reason: str) -> None:
        """Envoy has refused this form, be it the desired one, one it took earlier, or the stub."""
        ident = (resource.type_url, resource.name)
        accepted, stub, wanted = self._accepted.get(ident), self._stubs.get(ident), self.wanted(ident)
        if accepted is not None and accepted.version == resource.version:
            del self._accepted[ident]
        if stub is not None and stub.version == resource.version:
            self._stubs[ident] = None
        if wanted is not None and wanted.version == resource.version:
            self._refused[ident] = Refusal(resource.version, reason)

    @property
    def refusals(self) -> dict[ResourceId, Refusal]:
        """Every resource that Envoy refuses at present."""
        return dict(self._refused)

    def refusals_of(self, owner: ObjectKey) -> list[tuple[ResourceId, Refusal]]:
        """What Envoy refuses of one route, in a stable order."""
        found = []
        for ident, refusal in self._refused.items():
            wanted = self.wanted(ident)
            if wanted is not None and owner in wanted.owners:
                found.append((ident, refusal))
        return sorted(found, key=lambda item: item[0])

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
