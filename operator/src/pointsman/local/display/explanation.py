"""What `pointsman explain` says: an object's state and its reasons, as a document, from its status and from
what runs for it.
"""

from typing import Any

from pointsman.api import Answering, ModelDeployment, ModelRoute, ObjectKey, RouteRule
from pointsman.api.scaling import ScalingMode
from pointsman.local.engines.records import read_records, slot_of
from pointsman.local.processes import identity_of
from pointsman.local.state import StateFolder
from pointsman.routing.route_status import target_weights


def explain_deployment(
    deployment: ModelDeployment, routes: list[ModelRoute], engines: list[dict[str, Any]]
) -> dict[str, Any]:
    """Placement, engines with their endpoints, and who sends requests here."""
    spec, status = deployment.spec, deployment.status
    found: dict[str, Any] = {
        **_identity(deployment),
        "model": status.model,
        "engine": status.engine.to_document() if status.engine is not None else {},
        "usedBy": [
            {
                "route": str(route.key),
                "models": list(route.spec.models),
                **({"adapter": adapter} if adapter else {}),
                "weight": weight,
            }
            for route in routes
            if route.metadata.namespace == deployment.metadata.namespace
            for label, weight in target_weights(route).items()
            for name, _, adapter in (label.partition("/"),)
            if name == deployment.metadata.name
        ],
    }
    if spec.hosted is not None:
        reference = None if spec.hosted.credentials is None else spec.hosted.credentials.secret_ref
        found["hosted"] = {
            "provider": str(spec.hosted.provider),
            "baseURL": spec.hosted.base_url,
            "credentials": None if reference is None else f"Secret {reference.name}, key {reference.key}",
        }
        return found
    found["placement"] = status.placement.to_document() if status.placement is not None else {}
    found["replicas"] = {"desired": spec.replicas, "ready": status.ready_replicas}
    found["engines"] = engines
    if status.adapters:
        found["adapters"] = [one.to_document() for one in status.adapters]
    if spec.scaling is not None and spec.scaling.mode is not ScalingMode.OFF:
        found["scaling"] = status.scaling.to_document() if status.scaling is not None else {}
    return found


def engine_processes(state: StateFolder, key: ObjectKey) -> list[dict[str, Any]]:
    """The engines of a deployment that run on this machine."""
    engines = []
    for path, record in read_records(state.engines).items():
        if record is None or record.deployment != key or identity_of(record.identity.pid) != record.identity:
            continue
        engines.append(
            {
                "replica": slot_of(path),
                "pid": record.identity.pid,
                "endpoint": f"127.0.0.1:{record.port}" if record.port else "",
                "version": record.spec_hash,
                "log": str(state.log_path(path.stem)),
            }
        )
    return engines


def explain_route(route: ModelRoute) -> dict[str, Any]:
    """Who may call, and for each rule who answers in which order, and what makes the next one answer."""
    spec = route.spec
    authentication = spec.authentication
    keys = authentication.api_keys if authentication is not None else None
    return {
        **_identity(route),
        "url": route.status.url,
        "models": list(spec.models),
        "authentication": {
            "anonymous": bool(authentication is not None and authentication.anonymous),
            "apiKeysFrom": None if keys is None else keys.secret_selector.to_document(),
        },
        "dataClass": spec.data_class,
        "mirror": None if spec.mirror is None else spec.mirror.to_document(),
        "rules": [
            _rule(rule, {target.label: target.ready for target in route.status.targets})
            for rule in spec.rules
        ],
    }


def _rule(rule: RouteRule, ready: dict[str, bool]) -> dict[str, Any]:
    total = sum(target.weight for target in rule.targets)
    fallback = rule.fallback
    return {
        "match": None if rule.match is None else rule.match.to_document(),
        "targets": [
            {
                **_named(target),
                "percent": round(100 * target.weight / total, 1),
                "ready": ready.get(target.label, False),
            }
            for target in rule.targets
        ],
        "fallback": None
        if fallback is None
        else {
            "when": [str(reason) for reason in fallback.when],
            "targets": [
                {**_named(target), "ready": ready.get(target.label, False)} for target in fallback.targets
            ],
            "cooldown": {"failures": fallback.cooldown.failures, "for": str(fallback.cooldown.for_)},
        },
        "timeouts": {
            "request": str(rule.timeouts.request),
            "firstToken": None if rule.timeouts.first_token is None else str(rule.timeouts.first_token),
            "idle": str(rule.timeouts.idle),
        },
        "affinity": None if rule.affinity is None else rule.affinity.to_document(),
    }


def _named(target: Answering) -> dict[str, Any]:
    adapter = {"adapter": target.adapter} if target.adapter else {}
    return {"deployment": target.deployment, **adapter}


def _identity(resource: ModelDeployment | ModelRoute) -> dict[str, Any]:
    return {
        "kind": resource.kind,
        "namespace": resource.metadata.namespace,
        "name": resource.metadata.name,
        "generation": resource.metadata.generation,
        "conditions": [condition.to_document() for condition in resource.status.conditions],
    }
