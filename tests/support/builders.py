"""API objects for tests, of the keywords in `manifests`; validated as a user's YAML would be.

`deployment("a", replicas=2)`, `hosted("b", "https://localhost:8443/v1", secret=("openai", "api-key"))`,
`route("chat", {"a": 90, "b": 10}, fallback=["c"])`, `secret("openai", {"api-key": "sk-1"})`, and
`routing_input(…all of them…, endpoints={"a": [8001, 8002]})`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar

from pydantic import BaseModel

from pointsman.api import FleetSettings, ModelDeployment, ModelRoute, ObjectKey, Secret
from pointsman.routing import Endpoint, RoutingInput
from tests.support import manifests

P = ParamSpec("P")
M = TypeVar("M", bound=BaseModel)

Address = int | str | Endpoint
"""A port on 127.0.0.1, `host:port`, or an Endpoint."""


def _built(model: type[M], manifest: Callable[P, dict[str, Any]]) -> Callable[P, M]:
    def build(*args: P.args, **kwargs: P.kwargs) -> M:
        return model.model_validate(manifest(*args, **kwargs))

    return build


deployment = _built(ModelDeployment, manifests.deployment)
hosted = _built(ModelDeployment, manifests.hosted)
route = _built(ModelRoute, manifests.route)
secret = _built(Secret, manifests.secret)
rule = manifests.rule


def fleet(**settings: Any) -> FleetSettings:
    """Fleet settings from YAML names; hosts on this machine are allowed unless `gateway` says otherwise."""
    allowed = {"gateway": {"allowedPrivateHosts": ["localhost", "127.0.0.1"]}}
    return FleetSettings.model_validate(manifests.overlaid(allowed, settings))


def key(name: str, namespace: str = "default") -> ObjectKey:
    """The key of an object: `name`, or `namespace/name`."""
    before, slash, after = name.partition("/")
    return ObjectKey(before, after) if slash else ObjectKey(namespace, name)


def endpoint(address: Address) -> Endpoint:
    """An endpoint from however a test has it at hand."""
    if isinstance(address, Endpoint):
        return address
    if isinstance(address, int):
        return Endpoint("127.0.0.1", address)
    host, _, port = address.rpartition(":")
    return Endpoint(host, int(port))


def routing_input(
    *objects: ModelDeployment | ModelRoute | Secret,
    endpoints: Mapping[str, Iterable[Address]] | None = None,
    fleet_settings: FleetSettings | None = None,
) -> RoutingInput:
    """What a gateway is told: the objects by kind, and the replicas of deployments by `name` or `ns/name`.

    Raises ValueError when two objects of a kind have one key, or endpoints name no deployment.
    """
    deployments: dict[ObjectKey, ModelDeployment] = {}
    routes: dict[ObjectKey, ModelRoute] = {}
    secrets: dict[ObjectKey, Secret] = {}
    for item in objects:
        if isinstance(item, ModelDeployment):
            _put(deployments, item.key, item)
        elif isinstance(item, ModelRoute):
            _put(routes, item.key, item)
        else:
            _put(secrets, item.key, item)
    replicas = {key(name): tuple(map(endpoint, found)) for name, found in (endpoints or {}).items()}
    unknown = set(replicas) - set(deployments)
    if unknown:
        raise ValueError(f"endpoints of no deployment: {', '.join(map(str, sorted(unknown)))}")
    return RoutingInput(deployments, routes, replicas, secrets, fleet_settings or fleet())


T = TypeVar("T")


def _put(objects: dict[ObjectKey, T], at: ObjectKey, item: T) -> None:
    if at in objects:
        raise ValueError(f"two objects are called {at}")
    objects[at] = item
