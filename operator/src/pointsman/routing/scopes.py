"""One ModelRoute -> one scope for each public name, each with the whole route inside.

Envoy finds a scope by hashing the name, so a thousand models cost no more than one; a changed route is one
changed resource for each of its names; and a route that Envoy refuses takes no other with it.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

from envoy.config.route.v3.route_components_pb2 import Route
from envoy.config.route.v3.scoped_route_pb2 import ScopedRouteConfiguration

from pointsman.api import ModelDeployment, ModelRoute, ObjectKey, RouteRule
from pointsman.routing.answers import (
    BY_SCOPE,
    NO_AUTHENTICATION,
    NO_RULE,
    NO_TARGET,
    REFUSED,
    Answer,
    direct_route,
)
from pointsman.routing.authentication import Admission
from pointsman.routing.chain import Chain, is_usable, mirror_use, rule_chain, specifier, usable_uses
from pointsman.routing.endpoints import TARGET_METADATA
from pointsman.routing.names import (
    AFFINITY_HEADER,
    ATTEMPTS_HEADER,
    BYTES_HEADER,
    HOLD_HEADER,
    RETRY_HEADER,
    STREAM_HEADER,
    TARGET_HEADER,
    route_name,
)
from pointsman.routing.resources import SCOPE, Resource, resource
from pointsman.routing.settings import ProxySettings
from pointsman.routing.targets import cluster_name
from pointsman.routing.typed import parse, seconds

BYTES_PER_TOKEN = 4
"""A prompt's tokens are estimated from its bytes: about 4 in English text, 3 in German, fewer in code."""

_REFRESH_CLUSTER_ON_RETRY = b"\x70\x01"  # RetryPolicy field 14, bool: newer than the generated messages.


def route_scopes(
    route: ModelRoute,
    names: Iterable[str],
    usable: Mapping[ObjectKey, ModelDeployment],
    admission: Admission | None,
    settings: ProxySettings,
    resting: Collection[ObjectKey] = (),
) -> list[Resource]:
    """The scopes of a route. `usable` are the deployments that exist and whose credentials do; requests for
    those that are `resting` are held.
    """
    named = str(route.key)
    rules = (
        _rules(route, usable, settings, resting)
        if admission is not None
        else [_answered(NO_AUTHENTICATION, name=named)]
    )
    who = admission or Admission(open=True)
    owners = frozenset({route.key})
    clusters = frozenset(cluster_name(key, use) for key, use in usable_uses(route, usable))
    return [
        resource(
            SCOPE,
            name,
            _scope(name, route_name(route.key), rules, who, settings),
            owners=owners,
            stub=_scope(name, route_name(route.key), [_answered(REFUSED, name=named)], who, settings),
            clusters=clusters,
            admits=who.admits,
        )
        for name in names
    ]


def error_scopes(settings: ProxySettings) -> list[Resource]:
    """The scopes of requests that name no model."""
    open_to_all = Admission(open=True)
    return [
        resource(SCOPE, name, _scope(name, name, [_answered(answer, name=name)], open_to_all, settings))
        for name, answer in sorted(BY_SCOPE.items())
    ]


def _scope(
    name: str, route: str, routes: Iterable[Route], who: Admission, settings: ProxySettings
) -> ScopedRouteConfiguration:
    message = ScopedRouteConfiguration()
    message.CopyFrom(_alike(who, settings))
    message.name = message.key.fragments.add().string_key = name
    message.route_configuration.name = message.route_configuration.virtual_hosts[0].name = route
    message.route_configuration.virtual_hosts[0].routes.extend(routes)
    return message


@lru_cache(maxsize=256)
def _alike(who: Admission, settings: ProxySettings) -> ScopedRouteConfiguration:
    """What scopes with the same clients have in common, parsed once."""
    host = {
        "domains": ["*"],
        "request_body_buffer_limit": str(settings.held_request_bytes),
        "typed_per_filter_config": who.filter_config(),
    }
    configuration = {
        "virtual_hosts": [host],
        "response_headers_to_remove": [RETRY_HEADER],
    }
    return parse({"route_configuration": configuration}, ScopedRouteConfiguration())


def _rules(
    route: ModelRoute,
    usable: Mapping[ObjectKey, ModelDeployment],
    settings: ProxySettings,
    resting: Collection[ObjectKey],
) -> list[Route]:
    entries: list[Route] = []
    for index, rule in enumerate(route.spec.rules):
        match = _match(rule)
        name = f"{route.key}#{index}"
        chain = rule_chain(rule, route, usable, settings.hold, resting)
        if chain is None:
            entries.append(_answered(NO_TARGET, match, name))
        else:
            entries += _tried(match, name, rule, chain, _mirrors(route, usable))
    if all(rule.match is not None for rule in route.spec.rules):
        entries.append(_answered(NO_RULE, {"prefix": "/"}, str(route.key)))
    return entries


def _answered(answer: Answer, match: dict[str, Any] | None = None, name: str = "") -> Route:
    return parse({**direct_route(answer), **({"match": match} if match else {}), "name": name}, Route())


def _match(rule: RouteRule) -> dict[str, Any]:
    match: dict[str, Any] = {"prefix": "/"}
    headers: list[dict[str, Any]] = []
    for wanted in (rule.match.headers or ()) if rule.match else ():
        how = {"exact": wanted.value} if wanted.regex is None else {"safe_regex": {"regex": wanted.regex}}
        headers.append({"name": wanted.name, "string_match": how})
    tokens = rule.match.min_prompt_tokens if rule.match else None
    if tokens is not None:
        at_least = {"start": str(tokens * BYTES_PER_TOKEN), "end": str(2**62)}
        headers.append({"name": BYTES_HEADER, "range_match": at_least})
    return {**match, "headers": headers} if headers else match


def _tried(
    match: dict[str, Any], name: str, rule: RouteRule, chain: Chain, mirrors: list[dict[str, Any]]
) -> list[Route]:
    """One entry, or two where streams have limits of their own.

    Of an answer in one piece nothing comes before it is done, so a first-token or an idle timeout would cut
    every long one: it has the request's own timeout.
    """
    request_seconds = rule.timeouts.request.seconds + chain.hold_seconds
    action: dict[str, Any] = {
        "inline_cluster_specifier_plugin": specifier(chain),
        "timeout": seconds(request_seconds),
        "idle_timeout": seconds(request_seconds),
        "retry_policy": dict(chain.retry),
    }
    if rule.affinity is not None:
        action["hash_policy"] = [{"header": {"header_name": rule.affinity.header or AFFINITY_HEADER}}]
    if mirrors:
        action["request_mirror_policies"] = mirrors
    entry = {"name": name, "match": match, "route": action, "response_headers_to_add": _TRACE}
    if chain.may_hold:
        entry["response_headers_to_remove"] = [HOLD_HEADER]
    plain = parse(entry, Route())
    plain.route.retry_policy.MergeFromString(_REFRESH_CLUSTER_ON_RETRY)
    streamed = Route()
    streamed.CopyFrom(plain)
    parse({"name": STREAM_HEADER, "string_match": {"exact": "true"}}, streamed.match.headers.add())
    idle_seconds = rule.timeouts.idle.seconds + chain.hold_seconds
    streamed.route.idle_timeout.FromTimedelta(timedelta(seconds=idle_seconds))
    _limit_attempts(plain, chain.plain_attempt_seconds)
    _limit_attempts(streamed, chain.stream_attempt_seconds)
    return [plain] if _same_limits(chain, rule) else [streamed, plain]


def _same_limits(chain: Chain, rule: RouteRule) -> bool:
    same_attempts = chain.stream_attempt_seconds == chain.plain_attempt_seconds
    return same_attempts and rule.timeouts.idle.seconds >= rule.timeouts.request.seconds


def _limit_attempts(entry: Route, limit_seconds: float | None) -> None:
    if limit_seconds is not None:
        entry.route.retry_policy.per_try_timeout.FromTimedelta(timedelta(seconds=limit_seconds))


_TRACE = [
    # Empty, and then left out, where no replica of ours or a provider's answered.
    {
        "header": {"key": TARGET_HEADER, "value": f"%UPSTREAM_METADATA({TARGET_METADATA}:target)%"},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    },
    {
        "header": {"key": ATTEMPTS_HEADER, "value": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    },
]


def _mirrors(route: ModelRoute, usable: Mapping[ObjectKey, ModelDeployment]) -> list[dict[str, Any]]:
    mirror = route.spec.mirror
    if mirror is None:
        return []
    key, use = ObjectKey(route.metadata.namespace, mirror.deployment), mirror_use(mirror)
    if not is_usable(key, use, usable):
        return []
    share = {"default_value": {"numerator": mirror.percent, "denominator": "HUNDRED"}}
    return [{"cluster": cluster_name(key, use), "runtime_fraction": share}]
