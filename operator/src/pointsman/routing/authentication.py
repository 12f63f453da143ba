"""Who may call a route: API keys from Secrets as Envoy's per-route credentials."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pointsman.api import ModelRoute, Secret
from pointsman.routing.inputs import RoutingInput
from pointsman.routing.names import CLIENT_HEADER, OPEN_HEADER, REQUEST_FILTER
from pointsman.routing.typed import known

FILTER = "envoy.filters.http.api_key_auth"
_FILTER = "envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth"
_PER_ROUTE = "envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuthPerRoute"

# As OpenAI's, Anthropic's and Azure's clients send it.
KEY_SOURCES = [{"header": "Authorization"}, {"header": "x-api-key"}, {"header": "api-key"}]
FORWARDING = {"header": CLIENT_HEADER, "hide_credentials": True}


@dataclass(frozen=True, slots=True)
class Admission:
    """`open`: anyone. Else the clients' keys; none of them: nobody."""

    open: bool
    keys: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"Admission(open={self.open}, {len(self.keys)} keys)"

    def filter_config(self) -> dict[str, Any]:
        """The per-route configuration of Envoy's filter; nothing where no key is asked for."""
        if self.open:
            return {}
        credentials = [{"key": key, "client": client} for client, key in self.keys]
        value = {"credentials": credentials, "key_sources": KEY_SOURCES, "forwarding": FORWARDING}
        return {FILTER: known(_PER_ROUTE, value)}

    def metadata(self) -> dict[str, Any]:
        """What request.lua reads of the route.

        A filter cannot be switched off for a route that is known only once the body has been read, so the
        script marks the requests that the key filter then skips.
        """
        return {"filter_metadata": {REQUEST_FILTER: {"guarded": not self.open}}}


def key_filter() -> dict[str, Any]:
    """The filter: closed unless the request is marked open, or the route has the client's key."""
    value = {"key_sources": KEY_SOURCES, "forwarding": FORWARDING}
    is_open = {
        "single_predicate": {
            "input": {
                "name": "open",
                "typed_config": known(
                    "envoy.type.matcher.v3.HttpRequestHeaderMatchInput", {"header_name": OPEN_HEADER}
                ),
            },
            "value_match": {"exact": "true"},
        }
    }
    skip = {
        "name": "skip",
        "typed_config": known("envoy.extensions.filters.common.matcher.action.v3.SkipFilter"),
    }
    matched = {
        "xds_matcher": {"matcher_list": {"matchers": [{"predicate": is_open, "on_match": {"action": skip}}]}},
        "extension_config": {"name": FILTER, "typed_config": known(_FILTER, value)},
    }
    return {
        "name": FILTER,
        "typed_config": known("envoy.extensions.common.matching.v3.ExtensionWithMatcher", matched),
    }


def admission(route: ModelRoute, given: RoutingInput) -> Admission | None:
    """Who may call; None where the route does not say."""
    stated = route.spec.authentication
    if stated is None:
        return None
    if stated.anonymous:
        return Admission(open=True)
    if stated.api_keys is None:
        return None
    selector = stated.api_keys.secret_selector
    return Admission(
        open=False,
        keys=_keys(
            secret
            for secret in given.secrets.values()
            if secret.metadata.namespace == route.metadata.namespace
            and selector.matches(secret.metadata.labels)
        ),
    )


def anyone_of(admissions: Iterable[Admission]) -> Admission:
    """Who may see the list of models: everyone if some model is open to all, else whoever may call one."""
    admissions = list(admissions)
    if not admissions or any(one.open for one in admissions):
        return Admission(open=True)
    by_key = {key: client for one in reversed(admissions) for client, key in one.keys}
    return Admission(open=False, keys=tuple(sorted((client, key) for key, client in by_key.items())))


def _keys(secrets: Iterable[Secret]) -> tuple[tuple[str, str], ...]:
    """Client and key. A key that two Secrets hold counts for the first, as Envoy refuses it twice."""
    clients: dict[str, str] = {}
    for secret in sorted(secrets, key=lambda s: s.key):
        for client in sorted(secret.keys):
            value = (secret.value(client) or b"").decode("utf-8", "replace").strip()
            if value:
                clients.setdefault(value, client)
    return tuple(sorted((client, key) for key, client in clients.items()))
