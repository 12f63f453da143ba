"""The rules of one route, read against each other: what can never happen, and what would surprise."""

from collections.abc import Iterator

from pointsman.api.findings import Finding
from pointsman.api.located import Located
from pointsman.api.modelroute import ModelRoute
from pointsman.api.routematch import Match
from pointsman.api.routerule import FallbackReason, RouteRule


def surprising_rules(route: Located[ModelRoute]) -> Iterator[Finding]:
    spec = route.resource.spec
    for index, rule in enumerate(spec.rules):
        yield from _never_matches(route, index)
        yield from _pointless_fallbacks(route, index, rule)
        yield from _implied_reasons(route, index, rule)
    if all(rule.match is not None for rule in spec.rules):
        yield route.finding(
            ("spec", "rules"),
            "no rule is the default, so a request that matches none is refused",
            "add a rule without match at the end",
            severity="warning",
        )
    if spec.authentication is None:
        yield route.finding(
            ("spec", "authentication"),
            "nobody may call this route",
            "state authentication.apiKeys, or authentication.anonymous: true",
            severity="warning",
        )
    if spec.mirror is not None and any(
        target.label == spec.mirror.label for rule in spec.rules for target in rule.targets
    ):
        what = f"{spec.mirror.label} is a target too, so it answers such a request twice"
        yield route.finding(("spec", "mirror"), what, "mirror to another deployment", severity="warning")


def _never_matches(route: Located[ModelRoute], index: int) -> Iterator[Finding]:
    rules = route.resource.spec.rules
    for earlier in range(index):
        if _covers(rules[earlier].match, rules[index].match):
            why = "has no match" if rules[earlier].match is None else "matches all that this one would"
            yield route.finding(
                ("spec", "rules", index),
                f"never matches, because rules[{earlier}] comes first and {why}",
                "move it before that rule",
                severity="warning",
            )
            return


def _covers(earlier: Match | None, later: Match | None) -> bool:
    """Whether every request that `later` matches is matched by `earlier` already."""
    if earlier is None:
        return True
    if later is None:
        return False
    asked, given = set(earlier.headers or ()), set(later.headers or ())
    return asked <= given and (earlier.min_prompt_tokens or 0) <= (later.min_prompt_tokens or 0)


def _pointless_fallbacks(route: Located[ModelRoute], index: int, rule: RouteRule) -> Iterator[Finding]:
    if rule.fallback is None:
        return
    answering = {target.label for target in rule.targets if target.weight > 0}
    seen: dict[str, int] = {}
    for place, fallback in enumerate(rule.fallback.targets):
        path = ("spec", "rules", index, "fallback", "targets", place)
        if answering == {fallback.label}:
            what = f"{fallback.label} would fall back to itself"
            yield route.finding(path, what, "name another deployment; its own replicas are tried anyway")
        if fallback.label in seen:
            what = f"{fallback.label} stands in this chain before, at targets[{seen[fallback.label]}]"
            yield route.finding(path, what, "remove one of the two")
        seen.setdefault(fallback.label, place)


# What the gateway cannot tell apart, so that one brings the other: an attempt that ran out of time looks like
# a lost connection, and the answer for want of a replica is a 503.
_IMPLIED = {
    FallbackReason.CONNECT_FAILURE: (FallbackReason.TIMEOUT, FallbackReason.FIRST_TOKEN_TIMEOUT),
    FallbackReason.SERVER_ERROR: (FallbackReason.NO_CAPACITY,),
}


def _implied_reasons(route: Located[ModelRoute], index: int, rule: RouteRule) -> Iterator[Finding]:
    if rule.fallback is None:
        return
    for reason, implied in _IMPLIED.items():
        left_out = [other.value for other in implied if other not in rule.fallback.when]
        if reason in rule.fallback.when and left_out:
            path = ("spec", "rules", index, "fallback", "when")
            what = f"{reason.value} falls back on {' and '.join(left_out)} too, which is not listed"
            yield route.finding(path, what, "list it, so that the file says what happens", severity="warning")
