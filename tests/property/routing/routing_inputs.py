"""Strategies for routing inputs: few names, so that objects meet, and everything that a route can say."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from pointsman.api import ModelDeployment, ModelRoute, Secret
from pointsman.routing import Endpoint, RoutingInput
from tests.support import builders

NAMESPACES = ("default", "team-b")
TARGETS = ("a", "b", "c", "d")
ADAPTERS = ("x", "org/y")
ASKED = (*TARGETS, *(f"{target}/{adapter}" for target in TARGETS for adapter in ADAPTERS))
PROVIDER_KEY, CLIENT_KEY = "sk-provider-", "ck-client-"
WHEN = (
    "connectFailure",
    "serverError",
    "rateLimited",
    "timeout",
    "firstTokenTimeout",
    "noCapacity",
    "refusal",
)

Object = ModelDeployment | ModelRoute | Secret


@dataclass(frozen=True)
class World:
    """Objects as a user would have them, and replicas of deployments."""

    objects: tuple[Object, ...]
    endpoints: tuple[tuple[str, tuple[Endpoint, ...]], ...]

    def routing_input(self) -> RoutingInput:
        return builders.routing_input(*self.objects, endpoints=dict(self.endpoints))


maybe_namespace = st.sampled_from(NAMESPACES)
ports = st.builds(Endpoint, st.sampled_from(["127.0.0.1", "10.0.0.7", "fd00::7"]), st.integers(8000, 8003))


def own_deployments(name: str, namespace: str) -> st.SearchStrategy[ModelDeployment]:
    return st.builds(
        builders.deployment,
        st.just(name),
        namespace=st.just(namespace),
        replicas=st.integers(0, 3),
        served_names=st.sampled_from([(), ("served",)]),
        max_concurrency=st.sampled_from([None, 4, 4096]),
        adapters=st.lists(st.sampled_from(ADAPTERS), unique=True),
    )


def hosted_deployments(name: str, namespace: str) -> st.SearchStrategy[ModelDeployment]:
    tls = st.builds(
        builders.hosted,
        st.just(name),
        st.sampled_from(["https://api.example.com/v1", "https://[::1]:8443", "https://127.0.0.1:8443/x/v2/"]),
        namespace=st.just(namespace),
        provider=st.sampled_from(["openai", "azure", "mistral"]),
        secret=st.sampled_from([None, ("keys", "one"), ("keys", "two"), ("missing", "one")]),
        ca_certificates=st.sampled_from([None, ("keys", "ca")]),
    )
    return st.one_of(tls, st.just(builders.hosted(name, "http://localhost:8000/v1", namespace=namespace)))


def provider_keys(namespace: str) -> st.SearchStrategy[Secret]:
    hosts = st.sampled_from([(), ("api.example.com",), ("api.example.com", "::1", "127.0.0.1")])

    def made(allowed: tuple[str, ...], turn: int) -> Secret:
        values = {key: f"{PROVIDER_KEY}{namespace}-{key}-{turn}" for key in ("one", "two", "ca")}
        return builders.secret("keys", values, namespace=namespace, allowed_hosts=allowed)

    return st.builds(made, hosts, st.integers(0, 1))


def client_keys(name: str, namespace: str) -> st.SearchStrategy[Secret]:
    def made(clients: list[int], team: str) -> Secret:
        values = {f"client-{n}": f"{CLIENT_KEY}{namespace}-{n // 2}" for n in clients}
        return builders.secret(name, values, namespace=namespace, labels={"team": team})

    return st.builds(made, st.lists(st.integers(0, 3), unique=True), st.sampled_from(["x", "y"]))


targets = st.dictionaries(st.sampled_from(ASKED), st.integers(0, 5), min_size=1, max_size=3).filter(
    lambda weights: any(weights.values())
)
rules = st.builds(
    builders.rule,
    targets,
    fallback=st.lists(st.sampled_from([*ASKED, "nowhere"]), max_size=2, unique=True),
    when=st.lists(st.sampled_from(WHEN), max_size=3, unique=True),
    cooldown=st.sampled_from([None, (3, "10s")]),
    headers=st.sampled_from([None, {"x-tier": "gold"}]),
    min_prompt_tokens=st.sampled_from([None, 30_000]),
    first_token=st.sampled_from(["", "8s", "500ms"]),
    request=st.sampled_from(["", "30s"]),
    affinity=st.sampled_from([None, {"header": "x-session"}, {"promptCacheKey": True}]),
)


def routes(name: str, namespace: str) -> st.SearchStrategy[ModelRoute]:
    def made(stated: list[dict[str, Any]], created: str, unsaid: bool, **said: Any) -> ModelRoute:
        built = builders.route(
            name, namespace=namespace, rules=stated, metadata={"creationTimestamp": created}, **said
        )
        if not unsaid:
            return built
        return built.model_copy(update={"spec": built.spec.model_copy(update={"authentication": None})})

    return st.builds(
        made,
        st.lists(rules, min_size=1, max_size=3),
        created=st.sampled_from(["2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z", ""]),
        unsaid=st.sampled_from([False, False, True]),
        models=st.lists(
            st.sampled_from(["chat", "team-a/chat", "large", "embed:v1"]), min_size=1, max_size=2, unique=True
        ),
        api_keys=st.sampled_from([None, {"team": "x"}, {"team": "y"}]),
        mirror=st.sampled_from([None, ("d", 5), ("d/x", 5), ("nowhere", 100)]),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Everything in two namespaces, some of it missing."""
    objects: list[Object] = []
    endpoints: dict[str, tuple[Endpoint, ...]] = {}
    for namespace in NAMESPACES:
        for name in draw(st.sets(st.sampled_from(TARGETS))):
            own = draw(st.booleans())
            objects.append(draw((own_deployments if own else hosted_deployments)(name, namespace)))
            if own:
                endpoints[f"{namespace}/{name}"] = tuple(draw(st.lists(ports, max_size=3)))
        objects += [draw(routes(name, namespace)) for name in draw(st.sets(st.sampled_from(["p", "q"])))]
        if draw(st.booleans()):
            objects.append(draw(provider_keys(namespace)))
        objects += [draw(client_keys(name, namespace)) for name in draw(st.sets(st.sampled_from(["m", "n"])))]
    return World(tuple(objects), tuple(endpoints.items()))


replicas = st.lists(ports, max_size=3).map(tuple)


@st.composite
def edits(draw: st.DrawFn) -> list[World]:
    """A history: from one world to the next most objects stay, some go, some are replaced."""
    history = [draw(worlds())]
    for _ in range(draw(st.integers(1, 3))):
        last = history[-1]
        moved = {name: draw(replicas) if draw(st.booleans()) else found for name, found in last.endpoints}
        taken = {(one.kind, one.key): one for one in last.objects}
        if draw(st.booleans()):
            new = draw(worlds())
            taken |= {(one.kind, one.key): one for one in new.objects if draw(st.integers(0, 3)) == 0}
            moved |= dict(new.endpoints)
            for ident in draw(st.sets(st.sampled_from(sorted(taken, key=str)), max_size=2)) if taken else ():
                del taken[ident]
            if draw(st.booleans()):  # Read again from a file: equal, but not the same.
                taken = {ident: one.model_copy(deep=True) for ident, one in taken.items()}
        known = {str(key) for kind, key in taken if kind == "ModelDeployment"}
        kept = tuple((name, found) for name, found in moved.items() if name in known)
        history.append(World(tuple(taken.values()), kept))
    return history
