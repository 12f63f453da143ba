"""What is there beside one object. Nothing of it is asked of an API server by a rule at admission."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pointsman.api import ObjectKey
from pointsman.policy.source import StatedBeside

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Beside:
    """None for what is not known, as from files: no rule over it has a verdict then."""

    network_policies: tuple[Object, ...] | None = None
    """Of a ModelDeployment: its own."""
    disruption_budgets: tuple[Object, ...] | None = None
    """Of a ModelDeployment: its own."""
    deployments: tuple[Object, ...] | None = None
    """Of a ModelRoute: those that it names and that are there. Of a Namespace: those in it."""


def as_stated(stated: StatedBeside) -> Beside:
    """Of an example or a test."""
    return Beside(stated.network_policies, stated.disruption_budgets, stated.deployments)


def named_deployments(route: Object) -> tuple[ObjectKey, ...]:
    """The ModelDeployments that a ModelRoute sends requests to, each once."""
    namespace = str((route.get("metadata") or {}).get("namespace") or "")
    return tuple(dict.fromkeys(ObjectKey(namespace, name) for name in _names(route.get("spec") or {})))


def _names(spec: Object) -> Iterator[str]:
    for rule in spec.get("rules") or ():
        for answering in (rule, rule.get("fallback") or {}):
            for target in answering.get("targets") or ():
                yield str(target.get("deployment", ""))
    if spec.get("mirror"):
        yield str(spec["mirror"].get("deployment", ""))
