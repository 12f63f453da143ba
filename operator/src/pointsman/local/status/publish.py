"""From what is observed to what is shown: status files and lines on the terminal."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from pointsman.api import ModelDeployment, ModelRoute, ObjectKey
from pointsman.api.findings import Finding
from pointsman.api.resource import Resource
from pointsman.local.deployments import OwnDeployment
from pointsman.local.display.terminal import (
    BAD,
    GONE,
    GOOD,
    Line,
    Terminal,
    anonymous_line,
    deployment_line,
    policy_line,
    policy_subject,
    route_line,
    route_subject,
    weights_line,
)
from pointsman.local.files.folder import Ident, Objects
from pointsman.local.files.judging import Judged
from pointsman.local.listening import Listen
from pointsman.local.state import StateFolder
from pointsman.local.status.deployment_status import deployment_status
from pointsman.local.status.keeping import Keeping
from pointsman.local.status.objects import ObjectStore
from pointsman.local.status.observed import DeploymentObserved
from pointsman.local.status.policy_status import policy_status
from pointsman.routing import RouteProgramming, RoutingInput
from pointsman.routing.credentials import target_secrets
from pointsman.routing.route_status import (
    NOT_FOUND,
    REFUSED,
    UNREAD,
    route_status,
    target_weights,
    unready_targets,
    why_unready,
)


def now_text() -> str:
    """The time as conditions have it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def installed_engines() -> dict[str, str]:
    """Which version of which engine is installed here."""
    try:
        return {"llama.cpp": f"xllamacpp {version('xllamacpp')}"}
    except PackageNotFoundError:
        return {}


@dataclass(frozen=True)
class _Published:
    """What was published of an object last, and from what: the same is not worked out again."""

    inputs: tuple[object, ...]
    unready: str = ""
    is_starting: bool = False


class Publisher:
    """Writes what changed, and says it once."""

    def __init__(
        self, state: StateFolder, store: ObjectStore, terminal: Terminal, keeping: Keeping, listen: Listen
    ) -> None:
        self._state = state
        self._keeping = keeping
        self._store = store
        self._terminal = terminal
        self._listen = listen
        self._url = listen.url
        self._engines = installed_engines()
        self._idents: frozenset[Ident] | None = None
        self._findings: tuple[Finding, ...] | None = None
        self._routes: set[str] = set()
        self._policies: set[str] = set()
        self._published: dict[Ident, _Published] = {}

    def stamped(self, objects: Objects) -> Objects:
        """The objects with their generations and ages."""
        now = now_text()
        return replace(
            objects,
            deployments={key: self._store.stamp(one, now) for key, one in objects.deployments.items()},
            routes={key: self._store.stamp(one, now) for key, one in objects.routes.items()},
            policies={key: self._store.stamp(one, now) for key, one in objects.policies.items()},
        )

    def tell_findings(self, findings: tuple[Finding, ...]) -> None:
        """Print what is newly found wrong, and when everything is right again."""
        if findings == self._findings:
            return
        former = self._findings or ()
        self._findings = findings
        for finding in findings:
            if finding not in former:
                self._terminal.plain(f" {BAD if finding.is_error else '!'} {finding.text()}")
        if former and not findings:
            self._terminal.plain(f" {GOOD} the files are without mistakes again")
        self._keeping.keep(
            "findings", lambda: self._state.write_findings([finding.to_document() for finding in findings])
        )

    def publish(
        self,
        objects: Objects,
        own: Mapping[ObjectKey, OwnDeployment],
        given: RoutingInput,
        programming: Mapping[ObjectKey, RouteProgramming],
    ) -> None:
        """Bring status files and terminal to what is now."""
        now = now_text()
        unready = {key: REFUSED for kind, key in objects.refused if kind == "ModelDeployment"}
        starting: set[ObjectKey] = set()
        for key, deployment in objects.deployments.items():
            running = own.get(key)
            published = self._publish_deployment(
                deployment, self._observed(objects, deployment, running, given), running, now
            )
            unready[key] = published.unready
            if published.is_starting:
                starting.add(key)
        otherwise = UNREAD if _is_unread(objects) else NOT_FOUND
        for key, route in objects.routes.items():
            why = unready_targets(route, unready, otherwise)
            self._publish_route(objects, route, programming.get(key), why, starting, now)
        self._tell_gone(objects)
        for policy in objects.policies.values():
            judged = objects.judged.get(policy.key, Judged())
            self._write(policy, policy_status(policy, judged, self._store.former_policy(policy), now))
            self._say(policy_line(policy, judged))
        self._forget_others(objects)

    def _publish_deployment(
        self,
        deployment: ModelDeployment,
        observed: DeploymentObserved,
        running: OwnDeployment | None,
        now: str,
    ) -> "_Published":
        endpoints = () if running is None else running.endpoints
        found = None if running is None else running.found
        ident, inputs = ("ModelDeployment", deployment.key), (deployment, observed, endpoints, found)
        former = self._published.get(ident)
        if former is not None and former.inputs == inputs:
            return former
        status = deployment_status(
            deployment,
            observed,
            self._store.former_deployment(deployment),
            engine_versions=self._engines,
            now=now,
        )
        self._write(deployment, status.to_document())
        if found is not None:
            self._terminal.say(replace(weights_line(found), about=str(found.path)))
        line = deployment_line(deployment, observed, endpoints)
        self._say(line)
        made = self._published[ident] = _Published(inputs, why_unready(deployment, status), line is None)
        return made

    def _publish_route(
        self,
        objects: Objects,
        route: ModelRoute,
        programming: RouteProgramming | None,
        unready: Mapping[str, str],
        starting: Set[ObjectKey],
        now: str,
    ) -> None:
        refused = objects.refused.get(("ModelRoute", route.key))
        namespace = route.metadata.namespace
        targets = {ObjectKey(namespace, label.partition("/")[0]) for label in target_weights(route)}
        is_starting = not targets.isdisjoint(starting)
        ident, inputs = ("ModelRoute", route.key), (route, programming, unready, refused, is_starting)
        former = self._published.get(ident)
        if former is not None and former.inputs == inputs:
            return
        self._published[ident] = _Published(inputs)
        status = route_status(
            route,
            programming,
            unready,
            refused,
            self._store.former_route(route),
            url=self._url,
            now=now,
        )
        self._write(route, status.to_document())
        self._say(anonymous_line(route, self._listen))
        found = {one.type: (str(one.status), one.message) for one in status.conditions}
        if refused is not None:
            # The mistake has a line of its own already.
            del found["Accepted"]
        line = route_line(route, found, self._url)
        # A route comes after what it routes to: the first time its line waits until all of that has been
        # said.
        if line is not None and (line.mark == BAD or line.subject in self._routes or not is_starting):
            self._routes.add(line.subject)
            self._say(line)

    def _tell_gone(self, objects: Objects) -> None:
        """Of routes and policies; those of deployments have more to say."""
        stated = {route_subject(key) for key in objects.routes}
        policies = {policy_subject(key) for key in objects.policies}
        for subject in sorted((self._routes - stated) | (self._policies - policies)):
            self._routes.discard(subject)
            self._terminal.say(Line(GONE, subject, "removed from the files"))
        self._policies = policies

    def _observed(
        self,
        objects: Objects,
        deployment: ModelDeployment,
        running: OwnDeployment | None,
        given: RoutingInput,
    ) -> DeploymentObserved:
        if running is not None:
            return running.observed
        refused = objects.refused.get(("ModelDeployment", deployment.key))
        if deployment.spec.hosted is None:
            return DeploymentObserved(refused=refused)
        missing = target_secrets(deployment, given, frozenset()).missing
        return DeploymentObserved(refused=refused, hosted_trouble=missing)

    def _forget_others(self, objects: Objects) -> None:
        idents = frozenset(
            [("ModelDeployment", key) for key in objects.deployments]
            + [("ModelRoute", key) for key in objects.routes]
            + [("GuardrailPolicy", key) for key in objects.policies]
        )
        if idents != self._idents:
            self._idents = idents
            for ident in self._published.keys() - idents:
                del self._published[ident]
            self._keeping.forget_others(idents)
            self._keeping.keep("objects", lambda: self._store.keep_only(idents))

    def _write(self, resource: Resource, status: dict[str, object]) -> None:
        ident = (type(resource).__name__, resource.key)
        self._keeping.keep(ident, lambda: self._store.write(resource, status))

    def _say(self, line: Line | None) -> None:
        if line is not None:
            self._terminal.say(line)


def _is_unread(objects: Objects) -> bool:
    """Whether there is a file, or a part of one, of which nobody knows what it states."""
    return any(finding.is_error and not finding.name for finding in objects.findings)
