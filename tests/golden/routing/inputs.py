"""The inputs whose Envoy resources are kept beside this file: one for each way in which people begin."""

from pathlib import Path

from pointsman.api import ModelDeployment, ModelRoute, Secret
from pointsman.api.parsing import parse_documents
from pointsman.routing import RoutingInput
from tests.support.builders import deployment, hosted, route, routing_input, rule, secret

_HERE = Path(__file__).parent
_EXAMPLES = _HERE.parents[2] / "examples"
# Its key is nowhere: this authority signs nothing any more.
AUTHORITY = _HERE / "authority.pem"

_CREATED = {"creationTimestamp": "2026-01-02T03:04:05Z"}


def _quickstart() -> RoutingInput:
    objects: list[ModelDeployment | ModelRoute | Secret] = []
    for file in sorted((_EXAMPLES / "quickstart").glob("*.yaml")):
        found, findings = parse_documents(file.name, file.read_text(encoding="utf-8"))
        assert not findings, findings
        for one in found:
            if isinstance(one.resource, ModelDeployment | ModelRoute | Secret):
                objects.append(one.resource)
    own = [str(one.key) for one in objects if isinstance(one, ModelDeployment) and one.spec.hosted is None]
    ports = {name: [8100 + index] for index, name in enumerate(sorted(own))}
    return routing_input(*objects, endpoints=ports)


def _hosted() -> RoutingInput:
    return routing_input(
        hosted("gpt", "https://api.example.com/v1", provider="openai", secret=("keys", "openai")),
        hosted("azure", "https://[::1]:8443/openai/v1", provider="azure", secret=("keys", "azure")),
        hosted(
            "private",
            "https://10.0.0.7:8443/llm/v2",
            model="org/model",
            ca_certificates=("authority", "ca.pem"),
        ),
        secret("keys", {"openai": "sk-openai", "azure": "az-key"}, allowed_hosts=["api.example.com", "::1"]),
        secret("authority", {"ca.pem": AUTHORITY.read_text(encoding="utf-8")}),
        route("chat", {"gpt": 1}, fallback=["azure", "private"], metadata=_CREATED),
    )


def _clients() -> RoutingInput:
    return routing_input(
        deployment("a"),
        route("closed", {"a": 1}, api_keys={"team": "none"}, metadata=_CREATED),
        route("guarded", {"a": 1}, api_keys={"team": "x"}, metadata=_CREATED),
        secret("clients", {"ann": "ck-ann", "bob": "ck-bob"}, labels={"team": "x"}),
        endpoints={"a": [8001]},
    )


def _rules() -> RoutingInput:
    return routing_input(
        deployment("large", replicas=2, max_concurrency=512),
        deployment("small", served_names=["org/small:q4"]),
        deployment("shadow"),
        route(
            "chat",
            models=["chat", "team-a/chat"],
            rules=[
                rule(["large"], headers={"x-tier": "gold"}, min_prompt_tokens=30_000, request="2m"),
                rule(
                    {"small": 90, "large": 10},
                    fallback=["large"],
                    when=["connectFailure", "timeout", "firstTokenTimeout", "noCapacity"],
                    cooldown=(3, "10s"),
                    first_token="8s",
                    request="90s",
                    affinity={"header": "x-session-id"},
                ),
            ],
            mirror=("shadow", 5),
            metadata=_CREATED,
        ),
        endpoints={"large": [8001, 8002], "small": [8003]},
    )


def _alone() -> RoutingInput:
    return routing_input(
        deployment("a", replicas=3),
        route("alone", {"a": 1}, affinity={"promptCacheKey": True}, metadata=_CREATED),
        route("nowhere", {"gone": 1}, metadata=_CREATED),
        endpoints={"a": [8001, 8002, 8003]},
    )


def _at_zero() -> RoutingInput:
    """One of the two that may rest does."""
    may_rest = {"scaling": {"maxReplicas": 3, "idle": {"after": "15m"}}}
    return routing_input(
        deployment("resting", spec=may_rest),
        deployment("running", spec=may_rest),
        deployment("spare"),
        route("chat", {"resting": 1}, fallback=["spare"], first_token="8s", metadata=_CREATED),
        route("code", {"running": 1}, metadata=_CREATED),
        endpoints={"running": [8001], "spare": [8002]},
    )


INPUTS = {
    "at-zero": _at_zero,
    "quickstart": _quickstart,
    "hosted": _hosted,
    "clients": _clients,
    "rules": _rules,
    "without-fallback": _alone,
}
