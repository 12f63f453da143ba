"""A target as a cluster: where it is, its name, how much it may hold, and whom it is checked against."""

from typing import Any

import pytest

from pointsman.api import ModelDeployment, Secret
from pointsman.gateway.bootstrap import bootstrap
from pointsman.routing import Resource
from pointsman.routing.resources import CLUSTER, SECRET
from pointsman.routing.settings import ProxySettings
from pointsman.routing.targets import (
    HostedAddress,
    can_answer_as,
    hosted_address,
    key_header,
    replica_count,
    requests_in_flight,
    takes_usage_option,
    upstream_model,
)
from tests.support.builders import deployment, hosted, route, routing_input, secret
from tests.support.envoy_messages import as_json, compiled, http_filters, http_options


@pytest.mark.parametrize(
    ("base_url", "want", "want_authority"),
    [
        ("https://api.example.com/v1", HostedAddress("api.example.com", 443, True, "/v1"), "api.example.com"),
        ("https://api.example.com", HostedAddress("api.example.com", 443, True, ""), "api.example.com"),
        ("https://api.example.com/", HostedAddress("api.example.com", 443, True, ""), "api.example.com"),
        (
            "https://API.Example.com/V1/",
            HostedAddress("api.example.com", 443, True, "/V1"),
            "api.example.com",
        ),
        ("https://h:8443/a/b/v2", HostedAddress("h", 8443, True, "/a/b/v2"), "h:8443"),
        ("https://h:443/v1", HostedAddress("h", 443, True, "/v1"), "h"),
        ("https://h:80/v1", HostedAddress("h", 80, True, "/v1"), "h:80"),
        ("http://h/v1", HostedAddress("h", 80, False, "/v1"), "h"),
        ("http://h:443/v1", HostedAddress("h", 443, False, "/v1"), "h:443"),
        ("http://127.0.0.1:8000/v1", HostedAddress("127.0.0.1", 8000, False, "/v1"), "127.0.0.1:8000"),
        ("https://[::1]/v1", HostedAddress("::1", 443, True, "/v1"), "[::1]"),
        ("https://[fd00::7]:8443/v1", HostedAddress("fd00::7", 8443, True, "/v1"), "[fd00::7]:8443"),
    ],
)
def test_a_base_url_is_an_address(base_url: str, want: HostedAddress, want_authority: str) -> None:
    assert hosted_address(base_url) == want
    assert want.authority == want_authority


URL = "https://api.example.com/v1"


@pytest.mark.parametrize(
    ("case", "target", "want_model", "want_header", "want_usage"),
    [
        ("own", deployment("a"), "a", "authorization", True),
        (
            "own, with names of its engine",
            deployment("a", served_names=["first", "second"]),
            "first",
            "authorization",
            True,
        ),
        ("openai", hosted("a", URL, provider="openai", model="gpt-5"), "gpt-5", "authorization", True),
        ("azure", hosted("a", URL, provider="azure", model="gpt-5"), "gpt-5", "api-key", True),
        ("mistral", hosted("a", URL, provider="mistral", model="large"), "large", "authorization", False),
        ("custom", hosted("a", URL, model="meta/llama@1"), "meta/llama@1", "authorization", True),
    ],
)
def test_how_a_target_is_called(
    case: str, target: ModelDeployment, want_model: str, want_header: str, want_usage: bool
) -> None:
    assert (upstream_model(target), key_header(target), takes_usage_option(target)) == (
        want_model,
        want_header,
        want_usage,
    )


@pytest.mark.parametrize(
    ("case", "target", "want_replicas", "want_requests"),
    [
        ("nothing said", deployment("a"), 1, 4096),
        ("a small engine: room for its queue", deployment("a", max_concurrency=4), 1, 4096),
        ("many at once", deployment("a", max_concurrency=2000), 1, 8000),
        ("many replicas", deployment("a", max_concurrency=512, replicas=10), 10, 20480),
        ("none wanted now", deployment("a", replicas=0), 1, 4096),
        ("hosted", hosted("a", URL), 1, 4096),
    ],
)
def test_how_many_requests_a_target_may_hold(
    case: str, target: ModelDeployment, want_replicas: int, want_requests: int
) -> None:
    assert (replica_count(target), requests_in_flight(target)) == (want_replicas, want_requests)
    (threshold,) = as_json(cluster_of(target))["circuit_breakers"]["thresholds"]
    assert set(threshold.values()) == {want_requests}
    assert len(threshold) == 4


def cluster_of(target: ModelDeployment, *secrets: Secret, **said: Any) -> Resource:
    made = compiled(routing_input(target, *secrets, route("chat", [target.metadata.name], **said)))
    (cluster,) = made[CLUSTER].values()
    return cluster


def addresses(cluster: dict[str, Any]) -> list[list[tuple[str, int]]]:
    found = []
    for locality in cluster["load_assignment"]["endpoints"]:
        sockets = [e["endpoint"]["address"]["socket_address"] for e in locality.get("lb_endpoints", [])]
        found.append([(socket["address"], socket["port_value"]) for socket in sockets])
    return found


def test_an_own_target_waits_for_its_replicas() -> None:
    cluster = cluster_of(deployment("a"))
    assert cluster.endpoints == "default/a"
    assert as_json(cluster)["eds_cluster_config"]["service_name"] == "default/a"
    assert "transport_socket" not in as_json(cluster)


def test_a_hosted_target_has_its_host_and_behind_it_the_tombstone() -> None:
    cluster = as_json(cluster_of(hosted("a", "https://api.example.com:8443/v1")))
    assert cluster["type"] == "STRICT_DNS"
    assert addresses(cluster) == [[("api.example.com", 8443)], [("127.0.0.1", 8081)]]


@pytest.mark.parametrize(
    ("host", "searches"),
    [
        ("api.example.com", False),
        ("chat.team-a", False),  # as the cluster's search domains have it, a Service
        ("vllm.models.svc", True),
        ("vllm", True),
        ("10.1.2.3", False),
    ],
)
def test_only_a_private_name_is_looked_for_in_the_domains_of_the_cluster(host: str, searches: bool) -> None:
    cluster = as_json(cluster_of(hosted("a", f"https://{host}/v1")))
    resolver = cluster.get(
        "typed_dns_resolver_config", bootstrap(ProxySettings())["typed_dns_resolver_config"]
    )
    options = resolver["typed_config"]["dns_resolver_options"]
    assert options.get("no_default_search_domain", False) is not searches


@pytest.mark.parametrize(
    ("case", "base_url", "want_name", "want_sni"),
    [
        ("a name", "https://api.example.com/v1", ("DNS", "api.example.com"), "api.example.com"),
        ("an IPv4 address", "https://127.0.0.1:8443/v1", ("IP_ADDRESS", "127.0.0.1"), None),
        ("an IPv6 address", "https://[::1]:8443/v1", ("IP_ADDRESS", "::1"), None),
    ],
)
def test_a_provider_is_checked_against_its_own_name(
    case: str, base_url: str, want_name: tuple[str, str], want_sni: str | None
) -> None:
    tls = as_json(cluster_of(hosted("a", base_url)))["transport_socket"]["typed_config"]
    trust = tls["common_tls_context"]["validation_context"]
    (name,) = trust["match_typed_subject_alt_names"]
    assert (name["san_type"], name["matcher"]["exact"]) == want_name
    assert tls.get("sni") == want_sni
    assert trust["trusted_ca"]["filename"].endswith("ca-certificates.crt")


def test_a_private_authority_replaces_the_systems() -> None:
    target = hosted("a", URL, ca_certificates=("authority", "ca"))
    given = routing_input(target, secret("authority", {"ca": "PEM"}), route("chat", ["a"]))
    made = compiled(given)
    (cluster,) = made[CLUSTER].values()
    tls = as_json(cluster)["transport_socket"]["typed_config"]["common_tls_context"]
    trust = tls["combined_validation_context"]
    assert trust["default_validation_context"]["match_typed_subject_alt_names"]
    assert "trusted_ca" not in trust["default_validation_context"]
    assert trust["validation_context_sds_secret_config"]["name"] == "default/authority/ca#authorities"
    assert as_json(made[SECRET]["default/authority/ca#authorities"]) == {
        "name": "default/authority/ca#authorities",
        "validation_context": {"trusted_ca": {"inline_string": "PEM"}},
    }


def test_without_tls_there_is_none() -> None:
    assert "transport_socket" not in as_json(cluster_of(hosted("a", "http://localhost:8000/v1")))


@pytest.mark.parametrize(
    ("case", "provider", "want_header", "want_prefix"),
    [("bearer", "openai", "authorization", "Bearer "), ("plain", "azure", "api-key", None)],
)
def test_a_key_is_injected_after_the_rewrite(
    case: str, provider: str, want_header: str, want_prefix: str | None
) -> None:
    target = hosted("a", URL, provider=provider, secret=("keys", "one"))
    keys = secret("keys", {"one": " sk-1\n"}, allowed_hosts=["api.example.com"])
    cluster = cluster_of(target, keys)
    filters = http_filters(cluster)
    assert list(filters) == [
        "pointsman.attempt",
        "pointsman.key",
        "envoy.filters.http.upstream_codec",
    ]
    injector = filters["pointsman.key"]["value"]
    assert injector["overwrite"] is True
    source = injector["credential"]["typed_config"]["value"]
    assert (source["header"], source.get("header_value_prefix")) == (want_header, want_prefix)
    assert source["credential"]["name"] == "default/keys/one#key"


def test_a_key_is_handed_out_without_white_space_around_it() -> None:
    keys = secret("keys", {"one": " sk-1\n"}, allowed_hosts=["API.example.com"])
    target = hosted("a", URL, secret=("keys", "one"))
    made = compiled(routing_input(target, keys, route("chat", ["a"])))
    (found,) = made[SECRET].values()
    assert as_json(found)["generic_secret"]["secret"]["inline_string"] == "sk-1"


def test_a_target_without_a_key_has_no_injector() -> None:
    assert "pointsman.key" not in http_filters(cluster_of(deployment("a")))


@pytest.mark.parametrize(
    ("case", "target", "want_words"),
    [
        ("own", deployment("a"), "usage a.default /v1 a"),
        (
            "own, by the name that its engine has",
            deployment("a", served_names=["x"]),
            "usage a.default /v1 x",
        ),
        ("hosted", hosted("a", "https://h:8443/x/v2", model="gpt-5"), "usage h:8443 /x/v2 gpt-5"),
        ("hosted without a path", hosted("a", "https://h", model="gpt-5"), "usage h  gpt-5"),
        ("a path with escapes", hosted("a", "https://h/a%20b", model="m"), "usage h /a%20b m"),
        ("without the option", hosted("a", URL, provider="mistral", model="m"), "- api.example.com /v1 m"),
    ],
)
def test_each_attempt_is_told_its_target(case: str, target: ModelDeployment, want_words: str) -> None:
    told = http_filters(cluster_of(target))["pointsman.attempt"]["value"]
    assert told["filter_name"] == "attempt"
    assert told["filter_config"]["value"] == want_words


@pytest.mark.parametrize(
    ("case", "said", "want_policy", "want_percent"),
    [
        ("alone", {}, "LEAST_REQUEST", 49),
        ("with a fallback", {"fallback": ["nowhere"]}, "LEAST_REQUEST", 100),
        ("with affinity", {"affinity": {"header": "x-session"}}, "MAGLEV", 49),
    ],
)
def test_how_replicas_are_chosen_and_rested(
    case: str, said: dict[str, Any], want_policy: str, want_percent: int
) -> None:
    cluster = as_json(cluster_of(deployment("a"), **said))
    assert cluster.get("lb_policy", "ROUND_ROBIN") == want_policy
    assert cluster["outlier_detection"]["max_ejection_percent"] == want_percent
    assert cluster["common_lb_config"]["healthy_panic_threshold"] == {}


def test_the_tombstone_is_never_counted_as_a_failure() -> None:
    matcher = http_options(cluster_of(deployment("a")))["outlier_detection"]["error_matcher"]
    failures, but_not = matcher["and_match"]["rules"]
    (mark,) = but_not["not_match"]["http_response_headers_match"]["headers"]
    assert mark == {"name": "x-pm-retry", "present_match": True}
    statuses = [
        rule["http_response_headers_match"]["headers"][0]["string_match"]
        for rule in failures["or_match"]["rules"]
    ]
    assert statuses == [{"prefix": "5"}, {"exact": "429"}]


def test_an_adapter_is_the_model_that_is_asked_for() -> None:
    tuned = deployment("a", served_names=["org/base"], adapters=["de"])
    assert (upstream_model(tuned), upstream_model(tuned, "de")) == ("org/base", "de")
    assert [can_answer_as(tuned, adapter) for adapter in ("", "de", "fr")] == [True, True, False]
    other = deployment("a", engine="sglang", served_names=["org/base"], adapters=["acme/de:v1"])
    assert upstream_model(other, "acme/de:v1") == "org/base:acme/de:v1"
    assert upstream_model(other) == "org/base"
    far = hosted("openai", URL)
    assert [can_answer_as(far, adapter) for adapter in ("", "de")] == [True, False]
