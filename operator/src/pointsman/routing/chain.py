"""A rule -> the order in which its targets are tried, and what makes the next one be tried."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pointsman.api import (
    Answering,
    FallbackReason,
    FallbackTarget,
    ModelDeployment,
    ModelRoute,
    ObjectKey,
    RouteRule,
    Target,
)
from pointsman.routing.names import HOLD_HEADER, RETRY_HEADER
from pointsman.routing.settings import HoldSettings
from pointsman.routing.targets import ClusterUse, Ejection, can_answer_as, cluster_name, replica_count
from pointsman.routing.typed import known, newer

_PRIORITY_GROUPS = (
    "envoy.extensions.router.cluster_specifiers.priority_group.v3.PriorityGroupClusterSpecifier"
)
_PREVIOUS_HOSTS = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"

# Without a fallback a replica that fails is still better than none: less than half of them rest at once.
# Envoy counts the tombstone as one, so at 50 an only replica would rest, and nothing would answer.
_EJECTED_WITHOUT_FALLBACK_PERCENT = 49
_DEFAULT_FAILURES, _DEFAULT_REST_SECONDS = 5, 30.0

_SERVER_ERRORS = (500, 502, 503, 504, 529)
_OTHER_REPLICA_ERRORS = (502, 503)  # What one replica answers when it, and not the request, is the trouble.
_ADAPTER_NOT_LOADED = 404  # What vLLM and SGLang answer for a model that they do not know.
_BY_HEADER = (FallbackReason.CONTEXT_OVERFLOW, FallbackReason.REFUSAL, FallbackReason.NO_CAPACITY)

# Of two replicas the one that fails at once has the fewer requests, so three picks in four are that one. With
# 5 more picks a retry in six went there again; with 40, one in a hundred thousand. A pick takes 0.1 µs.
_PICKS_OF_ANOTHER_REPLICA = 40

# An attempt more for the hold, and one where the replica that it waited for went at once.
_ATTEMPTS_OF_HELD = 2

Group = tuple[tuple[str, int], ...]
"""Clusters with their weights."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Attempt n uses group n, and the last group from then on."""

    groups: tuple[Group, ...]
    retry: Mapping[str, Any]
    stream_attempt_seconds: float | None
    plain_attempt_seconds: float | None
    hashed: bool
    may_hold: bool = False
    """Whether a target may be at zero, so that its answer may be that of a hold."""
    hold_seconds: float = 0.0
    """What a hold may add to the times of this chain; its attempts' limits have it already."""


def rule_targets(rule: RouteRule) -> tuple[Target | FallbackTarget, ...]:
    """Whom a rule may send requests to, in the order of its file."""
    fallbacks = rule.fallback.targets if rule.fallback is not None else ()
    return (*(target for target in rule.targets if target.weight > 0), *fallbacks)


def cluster_use(rule: RouteRule, adapter: str | None = None) -> ClusterUse:
    """What a rule asks of the cluster of a target."""
    if rule.fallback is None:
        ejection = Ejection(_DEFAULT_FAILURES, _DEFAULT_REST_SECONDS, _EJECTED_WITHOUT_FALLBACK_PERCENT)
    else:
        cooldown = rule.fallback.cooldown
        ejection = Ejection(cooldown.failures, cooldown.for_.seconds, 100)
    return ClusterUse(ejection, rule.affinity is not None, adapter or "")


def mirror_use(mirror: Answering) -> ClusterUse:
    """What a mirror asks of its cluster."""
    ejection = Ejection(_DEFAULT_FAILURES, _DEFAULT_REST_SECONDS, _EJECTED_WITHOUT_FALLBACK_PERCENT)
    return ClusterUse(ejection, False, mirror.adapter or "")


def route_uses(route: ModelRoute) -> frozenset[tuple[ObjectKey, ClusterUse]]:
    """Every deployment that a route may send requests to, in each way in which it does."""
    namespace, mirror = route.metadata.namespace, route.spec.mirror
    uses = {
        (ObjectKey(namespace, target.deployment), cluster_use(rule, target.adapter))
        for rule in route.spec.rules
        for target in rule_targets(rule)
    }
    if mirror is not None:
        uses.add((ObjectKey(namespace, mirror.deployment), mirror_use(mirror)))
    return frozenset(uses)


def usable_uses(
    route: ModelRoute, usable: Mapping[ObjectKey, ModelDeployment]
) -> frozenset[tuple[ObjectKey, ClusterUse]]:
    """Those of `route_uses` for which there is a cluster."""
    return frozenset((key, use) for key, use in route_uses(route) if is_usable(key, use, usable))


def is_usable(key: ObjectKey, use: ClusterUse, usable: Mapping[ObjectKey, ModelDeployment]) -> bool:
    """Whether there is a cluster for this use, `usable` being the deployments for which there may be."""
    return key in usable and can_answer_as(usable[key], use.adapter)


def rule_chain(
    rule: RouteRule,
    route: ModelRoute,
    usable: Mapping[ObjectKey, ModelDeployment],
    hold: HoldSettings,
    resting: Collection[ObjectKey] = (),
) -> Chain | None:
    """The attempts of a rule over the targets that can be used; None where there is none.

    A hold is an attempt, after which the same target is tried: those that are `resting`, for which requests
    are held as no replica can answer, stand in it more often. A hold's time counts neither as the request's
    nor as an attempt's; but that of a fallback does, or it would lengthen what the primary may take.
    """
    namespace = route.metadata.namespace

    def rests(targets: Iterable[Answering]) -> bool:
        return any(ObjectKey(namespace, one.deployment) in resting for one in targets)

    def cluster(target: Answering) -> str | None:
        key, use = ObjectKey(namespace, target.deployment), cluster_use(rule, target.adapter)
        return cluster_name(key, use) if is_usable(key, use, usable) else None

    def has_other_replica(target: Answering) -> bool:
        key = ObjectKey(namespace, target.deployment)
        return is_usable(key, cluster_use(rule, target.adapter), usable) and replica_count(usable[key]) > 1

    primary = tuple(
        (name, target.weight)
        for target in rule.targets
        if target.weight > 0 and (name := cluster(target)) is not None
    )
    fallbacks = [
        (target, ((name, 1),))
        for target in (rule.fallback.targets if rule.fallback else ())
        if (name := cluster(target)) is not None
    ]
    first = [primary] if primary else []
    if primary and (
        not fallbacks or any(has_other_replica(target) for target in rule.targets if target.weight > 0)
    ):
        first = [primary, primary]
    when = frozenset(rule.fallback.when) if rule.fallback and fallbacks else frozenset()
    last = fallbacks[-1][0] if fallbacks else None
    # Nobody follows the last one: another replica of it does, as of a first one, in the time that is left.
    # A refusal is the model's, and another replica's too.
    again = last is not None and FallbackReason.REFUSAL not in when and has_other_replica(last)
    attempts = len(first) + len(fallbacks)
    if not attempts:
        return None
    is_held = bool(primary) and rests(target for target in rule.targets if target.weight > 0)
    if is_held:
        first += [primary] * _ATTEMPTS_OF_HELD
    groups = (*first, *(group for target, group in fallbacks for _ in range(1 + rests([target]))))
    if again:
        groups += (fallbacks[-1][1],)
    limit = rule.timeouts.first_token
    held_seconds = hold.seconds if is_held else 0.0
    plain = rule.timeouts.request.seconds / attempts if FallbackReason.TIMEOUT in when else None
    may_hold = any(
        usable[key].may_rest
        for target in rule_targets(rule)
        if (key := ObjectKey(namespace, target.deployment)) in usable
    )
    return Chain(
        groups,
        _retry(rule, when, len(groups), hold.word if may_hold else ""),
        limit.seconds + held_seconds if limit else None,
        None if plain is None else plain + held_seconds,
        rule.affinity is not None,
        may_hold,
        held_seconds,
    )


def _retry(rule: RouteRule, when: frozenset[FallbackReason], attempts: int, hold_word: str) -> dict[str, Any]:
    """`hold_word` is what the answer of a hold says, "" where none comes."""
    on = ["connect-failure", "refused-stream", "reset"]
    codes: list[int] = []
    headers: list[tuple[str, str]] = []
    if not when:
        codes += _OTHER_REPLICA_ERRORS
    if FallbackReason.SERVER_ERROR in when:
        codes += _SERVER_ERRORS
    if FallbackReason.RATE_LIMITED in when:
        codes.append(429)
    if any(target.adapter for target in rule_targets(rule)) and (
        not when or FallbackReason.NO_CAPACITY in when
    ):
        # Replicas from before a change of the adapters serve beside newer ones until these have taken over.
        codes.append(_ADAPTER_NOT_LOADED)
    headers += [(RETRY_HEADER, reason.value) for reason in _BY_HEADER if reason in when]
    if hold_word:
        headers.append((HOLD_HEADER, hold_word))
    if when and FallbackReason.CONNECT_FAILURE not in when:
        # Envoy counts an attempt that ran out of time as a reset.
        timed = {FallbackReason.TIMEOUT, FallbackReason.FIRST_TOKEN_TIMEOUT} & when
        on = ["reset"] if timed else []
    if codes:
        on.append("retriable-status-codes")
    if headers:
        on.append("retriable-headers")
    return {
        "retry_on": ",".join(on),
        "num_retries": attempts - 1,
        "retriable_status_codes": sorted(codes),
        "retriable_headers": [{"name": name, "string_match": {"exact": value}} for name, value in headers],
        "retry_host_predicate": [
            {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": known(_PREVIOUS_HOSTS)}
        ],
        "host_selection_retry_max_attempts": _PICKS_OF_ANOTHER_REPLICA,
        "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.025s"},
    }


def specifier(chain: Chain) -> dict[str, Any]:
    """The cluster specifier that gives attempt n its group."""
    groups = [
        {"name": f"g{n}", "clusters": [{"cluster_name": name, "weight": weight} for name, weight in group]}
        for n, group in enumerate(chain.groups)
    ]
    value = {"priority_groups": groups, **({"use_hash_policy": True} if chain.hashed else {})}
    return {"extension": {"name": "pointsman.chain", "typed_config": newer(_PRIORITY_GROUPS, value)}}
