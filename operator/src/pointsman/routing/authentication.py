"""Who may call a route: API keys from Secrets as Envoy's per-route credentials."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pointsman.api import LabelSelector, ModelRoute, Secret
from pointsman.routing.names import CLIENT_HEADER, OPEN_HEADER
from pointsman.routing.resources import version_of
from pointsman.routing.typed import known

FILTER = "envoy.filters.http.api_key_auth"
_FILTER = "envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth"
_PER_ROUTE = "envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuthPerRoute"

# As OpenAI's, Anthropic's and Azure's clients send it.
_KEY_SOURCES = [{"header": "Authorization"}, {"header": "x-api-key"}, {"header": "api-key"}]

# A filter cannot be switched off for a route that is known only once the body has been read. So each request
# brings one more header, set at the door, that holds a key; routes that are open to everyone take this one
# and no other.
OPEN_KEY = "anyone"
_OPEN = {
    "credentials": [{"key": OPEN_KEY, "client": OPEN_KEY}],
    "key_sources": [{"header": OPEN_HEADER}],
    "forwarding": {"hide_credentials": True},
}


@dataclass(frozen=True, slots=True)
class Admission:
    """`open`: anyone. Else the clients' keys; none of them: nobody."""

    open: bool
    keys: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"Admission(open={self.open}, {len(self.keys)} keys)"

    @property
    def admits(self) -> frozenset[str] | None:
        """Names for the keys that are let in, which do not tell them; None where anyone is."""
        return None if self.open else frozenset(version_of(key.encode()) for _, key in self.keys)

    def filter_config(self) -> dict[str, Any]:
        """The per-route configuration of Envoy's filter."""
        if self.open:
            return {FILTER: known(_PER_ROUTE, _OPEN)}
        credentials = [{"key": key, "client": client} for client, key in self.keys]
        forwarding = {"header": CLIENT_HEADER, "hide_credentials": True}
        value = {"credentials": credentials, "key_sources": _KEY_SOURCES, "forwarding": forwarding}
        return {FILTER: known(_PER_ROUTE, value)}


def key_filter() -> dict[str, Any]:
    """The filter as it is where there is no route: open, so that an unknown model is a 404 and no 401."""
    return {"name": FILTER, "typed_config": known(_FILTER, _OPEN)}


class LabelledSecrets:
    """Secrets by their labels: a route finds its own without looking at everyone's."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._all: dict[str, list[Secret]] = {}
        self._by_label: dict[tuple[str, str, str], list[Secret]] = {}
        self._found: dict[tuple[Any, ...], tuple[Secret, ...]] = {}
        for secret in sorted(secrets, key=lambda one: one.key):
            namespace = secret.metadata.namespace
            self._all.setdefault(namespace, []).append(secret)
            for label, value in secret.metadata.labels.items():
                self._by_label.setdefault((namespace, label, value), []).append(secret)

    def of_clients(self, route: ModelRoute) -> tuple[tuple[Any, ...], tuple[Secret, ...]]:
        """Those that hold the keys of a route's clients, in the order of their names; before them a key that
        routes have in common whose clients are the same."""
        stated = route.spec.authentication
        if stated is None or stated.anonymous or stated.api_keys is None:
            return (), ()
        selector, namespace = stated.api_keys.secret_selector, route.metadata.namespace
        wanted = (namespace, *sorted(selector.match_labels.items()), *selector.match_expressions)
        if wanted not in self._found:
            self._found[wanted] = self._matching(namespace, selector)
        return wanted, self._found[wanted]

    def _matching(self, namespace: str, selector: LabelSelector) -> tuple[Secret, ...]:
        labels = selector.match_labels.items()
        candidates = min(
            (self._by_label.get((namespace, label, value), []) for label, value in labels),
            key=len,
            default=self._all.get(namespace, []),
        )
        return tuple(one for one in candidates if selector.matches(one.metadata.labels))


def admission(route: ModelRoute, secrets: Iterable[Secret]) -> Admission | None:
    """Who may call, by the keys in these Secrets; None where the route does not say."""
    stated = route.spec.authentication
    if stated is None:
        return None
    if stated.anonymous:
        return Admission(open=True)
    return None if stated.api_keys is None else Admission(open=False, keys=_keys(secrets))


def anyone_of(admissions: Iterable[Admission]) -> Admission:
    """Who may see the list of models: everyone if some model is open to all, else whoever may call one."""
    # Most share their clients with others: each is looked at once.
    admissions = list({id(one): one for one in admissions}.values())
    if not admissions or any(one.open for one in admissions):
        return Admission(open=True)
    by_key = {key: client for one in reversed(admissions) for client, key in one.keys}
    return Admission(open=False, keys=tuple(sorted((client, key) for key, client in by_key.items())))


def _keys(secrets: Iterable[Secret]) -> tuple[tuple[str, str], ...]:
    """Client and key. A key that two Secrets hold counts for the first, as Envoy refuses it twice."""
    clients: dict[str, str] = {}
    for secret in secrets:
        for client in sorted(secret.keys):
            value = (secret.value(client) or b"").decode("utf-8", "replace").strip()
            if value:
                clients.setdefault(value, client)
    return tuple(sorted((client, key) for key, client in clients.items()))
