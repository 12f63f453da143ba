"""The status of routes, from what gateways say and which targets can answer. Pure."""

from collections.abc import Mapping

from pointsman.api import (
    ConditionStatus,
    ModelDeployment,
    ModelDeploymentStatus,
    ModelRoute,
    ModelRouteStatus,
    ObjectKey,
    RouteRule,
    TargetStatus,
)
from pointsman.api.findings import Finding
from pointsman.api.verdicts import FALSE, TRUE, UNKNOWN, Verdict, conditions
from pointsman.routing.programming import RouteProgramming
from pointsman.routing.targets import NO_ADAPTER

NO_GATEWAY = RouteProgramming(True, False, "NoGateway", "no gateway is known", 0)
"""What is said of every route where nothing could serve it."""


def route_status(
    route: ModelRoute,
    programming: RouteProgramming | None,
    unready: Mapping[str, str],
    refused: Finding | None,
    former: ModelRouteStatus,
    *,
    url: str,
    now: str,
) -> ModelRouteStatus:
    """Status and conditions of a route.

    `unready` says for each target that cannot answer why not; `programming` is None before the gateway
    knows the route; `refused` is why the newest version in the files of local mode was not admitted.
    """
    if programming is None:
        programming = RouteProgramming(True, False, "Pending", "the gateway does not know it yet", 0)
    unready = {**dict(programming.unusable), **unready}
    generation = route.metadata.generation
    targets = tuple(
        _target(label, weight, unready.get(label, ""), ready=label not in unready)
        for label, weight in target_weights(route).items()
    )
    verdicts = _verdicts(programming, targets, refused)
    return ModelRouteStatus(
        observed_generation=generation,
        url=url,
        models=",".join(route.spec.models)[:_LONGEST_SUMMARY],
        summary=summary(route),
        targets=targets,
        conditions=conditions(verdicts, former.conditions, generation, now),
    )


def _target(label: str, weight: int, reason: str, *, ready: bool) -> TargetStatus:
    deployment, _, adapter = label.partition("/")
    said = TargetStatus(deployment=deployment, weight=weight, ready=ready, reason=reason)
    return said.model_copy(update={"adapter": adapter}) if adapter else said


def target_weights(route: ModelRoute) -> dict[str, int]:
    """Every target that the route names, by label, with its weight in the first rule that names it; fallbacks
    have 0.
    """
    found: dict[str, int] = {}
    for rule in route.spec.rules:
        for target in rule.targets:
            found.setdefault(target.label, target.weight)
    for rule in route.spec.rules:
        for fallback in rule.fallback.targets if rule.fallback is not None else ():
            found.setdefault(fallback.label, 0)
    return found


def default_rule(route: ModelRoute) -> RouteRule:
    """The rule for requests that match nothing else."""
    return next((rule for rule in route.spec.rules if rule.match is None), route.spec.rules[-1])


def summary(route: ModelRoute) -> str:
    """Targets and fallbacks of the default rule in a few characters: `a→b`, `a 90%,b 10%→c`."""
    rule = default_rule(route)
    total = sum(target.weight for target in rule.targets)
    weighted = [target for target in rule.targets if target.weight]
    primary = (
        weighted[0].label
        if len(weighted) == 1
        else ",".join(f"{target.label} {round(100 * target.weight / total)}%" for target in weighted)
    )
    fallbacks = rule.fallback.targets if rule.fallback is not None else ()
    return "→".join((primary, *(fallback.label for fallback in fallbacks)))[:_LONGEST_SUMMARY]


# What the API keeps of a short text.
_LONGEST_SUMMARY = 253


def _verdicts(
    programming: RouteProgramming, targets: tuple[TargetStatus, ...], refused: Finding | None
) -> tuple[Verdict, ...]:
    if refused is not None:
        message = f"the former version stays, the file has a mistake: {refused.text()}"
        accepted = Verdict("Accepted", FALSE, "InvalidEdit", message)
    elif programming.accepted:
        accepted = Verdict("Accepted", TRUE, "Accepted", "")
    else:
        accepted = Verdict("Accepted", FALSE, programming.reason, programming.message)
    programmed = Verdict(
        "Programmed",
        _programmed(programming),
        programming.reason,
        programming.message,
    )
    answering = [target for target in targets if target.ready]
    if not programming.programmed:
        ready = Verdict(
            "Ready", UNKNOWN if programming.accepted else FALSE, programming.reason, programming.message
        )
    elif programming.unresolved:
        ready = Verdict("Ready", FALSE, "RefNotPermitted", programming.unresolved)
    elif all(target.reason == NO_REPLICA for target in targets):
        ready = Verdict("Ready", FALSE, "NoReplicas", NO_TARGET_HAS_A_REPLICA)
    elif not answering:
        reasons = sorted({f"{target.label}: {target.reason}" for target in targets})
        ready = Verdict("Ready", FALSE, "NoTargetReady", f"no target can answer ({'; '.join(reasons)})")
    else:
        ready = Verdict("Ready", TRUE, "TargetsReady", "")
    return accepted, _references(targets, programming.unresolved), programmed, ready


def _programmed(programming: RouteProgramming) -> ConditionStatus:
    if programming.programmed:
        return TRUE
    return UNKNOWN if programming.reason == NO_GATEWAY.reason else FALSE


NOT_FOUND = "there is no such ModelDeployment"
REFUSED = "its file has a mistake"
"""Why a target cannot answer that is stated, and was never admitted."""
UNREAD = "no file that can be read states it"
"""Why a target cannot answer that is not found, while a file with a mistake may state it."""
NO_REPLICA = "spec.replicas is 0"
"""Why a target cannot answer that nobody wants to run."""
NO_TARGET_HAS_A_REPLICA = "no target has a replica"


def _references(targets: tuple[TargetStatus, ...], unresolved: str) -> Verdict:
    said = {
        NOT_FOUND: "no ModelDeployment is named {}",
        UNREAD: "no file that can be read has a ModelDeployment {}; one with a mistake may have it",
        REFUSED: "ModelDeployment {} was refused: its file has a mistake",
    }
    messages = []
    for reason, words in said.items():
        names = sorted({target.deployment for target in targets if target.reason == reason})
        if names:
            messages.append(words.format(", ".join(names)))
    if messages:
        return Verdict("ResolvedRefs", FALSE, "DeploymentNotFound", "; ".join(messages))
    if absent := sorted(target.label for target in targets if target.reason == NO_ADAPTER):
        message = f"spec.model.adapters of the ModelDeployment lists no {', '.join(absent)}"
        return Verdict("ResolvedRefs", FALSE, "AdapterNotFound", message)
    if unresolved:
        return Verdict("ResolvedRefs", FALSE, "RefNotPermitted", unresolved)
    return Verdict("ResolvedRefs", TRUE, "Resolved", "")


def why_unready(deployment: ModelDeployment, status: ModelDeploymentStatus) -> str:
    """Why a deployment cannot answer, by what is said of it; "" if it can."""
    is_at_zero = deployment.spec.hosted is None and not deployment.spec.replicas and not deployment.may_rest
    if is_at_zero and not status.ready_replicas:
        # What else is missing, such as weights that are not here yet, is not what keeps it from answering.
        return NO_REPLICA
    ready = next((one for one in status.conditions if one.type == "Ready"), None)
    if ready is None:
        return "not known yet"
    return "" if ready.status is TRUE else ready.message or ready.reason


def unready_targets(
    route: ModelRoute, deployments: Mapping[ObjectKey, str], otherwise: str = NOT_FOUND
) -> dict[str, str]:
    """Why each target of the route that cannot answer cannot, by label; `deployments` has "" for those that
    can, and `otherwise` is why those cannot that it does not have.
    """
    found = {}
    for label in target_weights(route):
        key = ObjectKey(route.metadata.namespace, label.partition("/")[0])
        if reason := deployments.get(key, otherwise):
            found[label] = reason
    return found
