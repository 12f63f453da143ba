"""Test objects are valid API objects, and hold what the test said."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from pointsman.routing import Endpoint
from tests.support import manifests
from tests.support.builders import deployment, fleet, hosted, key, route, routing_input, rule, secret


def test_a_deployment_with_an_engine() -> None:
    built = deployment("a", replicas=0, served_names=["m"], spec={"engine": {"args": ["--x"]}})
    assert (str(built.key), built.spec.replicas, built.served_names) == ("default/a", 0, ("m",))
    assert built.spec.engine is not None
    assert (built.spec.engine.name, built.spec.engine.args) == ("vllm", ("--x",))


def test_a_hosted_deployment() -> None:
    built = hosted(
        "b",
        "https://localhost:8443/v1",
        secret=("openai", "api-key"),
        ca_certificates=("ca", "pem"),
        price=("1", "2"),
    )
    assert built.spec.hosted is not None
    assert built.spec.hosted.credentials is not None
    assert built.spec.hosted.credentials.secret_ref.name == "openai"
    assert built.spec.hosted.price is not None
    assert built.spec.hosted.base_url == "https://localhost:8443/v1"


def test_a_route_with_weights_a_fallback_and_a_matching_rule() -> None:
    gold = rule(["a"], headers={"x-tier": "gold"})
    built = route(
        "chat",
        {"a": 90, "b": 10},
        rules=[gold],
        fallback=["c"],
        when=["serverError"],
        cooldown=(2, "5s"),
        first_token="8s",
    )
    first, default = built.spec.rules
    assert first.match is not None
    assert first.match.headers is not None
    assert first.match.headers[0].value == "gold"
    assert [(target.deployment, target.weight) for target in default.targets] == [("a", 90), ("b", 10)]
    assert default.fallback is not None
    assert [target.deployment for target in default.fallback.targets] == ["c"]
    assert (default.fallback.cooldown.failures, default.fallback.cooldown.for_.seconds) == (2, 5.0)
    assert default.timeouts.first_token is not None
    assert default.timeouts.first_token.seconds == 8.0
    assert (default.match, built.spec.models) == (None, ("chat",))


def test_a_route_is_open_to_anyone_or_to_keys() -> None:
    anyone, keys = route("x", ["a"]), route("x", ["a"], api_keys={"team": "a"})
    assert anyone.spec.authentication is not None
    assert anyone.spec.authentication.anonymous
    assert keys.spec.authentication is not None
    assert keys.spec.authentication.api_keys is not None


def test_a_secret_and_where_it_may_go() -> None:
    built = secret("openai", {"api-key": "sk-1"}, allowed_hosts=["localhost"], environment={"other": "OTHER"})
    assert built.value("api-key") == b"sk-1"
    assert built.allowed_hosts == {"localhost"}
    assert built.environment_variables == {"other": "OTHER"}
    assert "sk-1" not in repr(built)


def test_a_mistake_in_a_keyword_is_the_schemas_to_find() -> None:
    with pytest.raises(ValidationError):
        route("chat", ["a"], when=["serverErorr"], fallback=["b"])


def test_the_input_of_a_gateway_has_each_object_under_its_key() -> None:
    made = routing_input(
        deployment("a"),
        deployment("a", namespace="other"),
        route("chat", ["a"]),
        secret("s"),
        endpoints={"a": [8001, "127.0.0.2:8002"], "other/a": [Endpoint("::1", 1)]},
    )
    assert set(made.deployments) == {key("a"), key("other/a")}
    assert made.endpoints[key("a")] == (Endpoint("127.0.0.1", 8001), Endpoint("127.0.0.2", 8002))
    assert set(made.routes) == {key("chat")}
    assert set(made.secrets) == {key("s")}
    assert "127.0.0.1" in fleet().gateway.allowed_private_hosts


def test_an_input_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="two objects"):
        routing_input(deployment("a"), deployment("a"))
    with pytest.raises(ValueError, match="no deployment"):
        routing_input(deployment("a"), endpoints={"b": [1]})


def test_manifests_are_written_as_a_user_would_write_them(tmp_path: Path) -> None:
    path = manifests.write_manifests(
        tmp_path / "x.yaml", manifests.deployment("a"), manifests.route("chat", ["a"])
    )
    first, second = yaml.safe_load_all(path.read_text())
    assert (first["kind"], second["spec"]["models"]) == ("ModelDeployment", ["chat"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.yaml"]
