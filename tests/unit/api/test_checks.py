"""Checks between objects, beyond the corpus: who wins, what is let through, what is not said twice."""

import itertools
from collections.abc import Sequence

import pytest

from pointsman.api import FleetSettings, ModelRoute, ObjectKey
from pointsman.api.checks import Mode, Unread, check_objects, is_allowed, is_loopback, is_private, name_owners
from pointsman.api.examination import examine
from pointsman.api.findings import Finding
from pointsman.api.located import Located, Stated
from pointsman.api.parsing import parse_documents

HEADER = "apiVersion: pointsman.dev/v1alpha1\n"


def deployment(name: str, extra: str = "", namespace: str = "chat") -> str:
    return (
        f"{HEADER}kind: ModelDeployment\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
        f"spec:\n  model: {{source: 'hf://a/b'}}\n  engine: {{name: llama.cpp}}\n{extra}"
    )


def hosted(url: str, extra: str = "") -> str:
    return (
        f"{HEADER}kind: ModelDeployment\nmetadata: {{name: hosted, namespace: chat}}\n"
        f"spec:\n  hosted:\n    provider: custom\n    baseURL: {url}\n    model: m\n{extra}"
    )


def route(name: str, models: str, target: str = "small", namespace: str = "chat", created: str = "") -> str:
    stamp = f", creationTimestamp: '{created}'" if created else ""
    return (
        f"{HEADER}kind: ModelRoute\nmetadata: {{name: {name}, namespace: {namespace}{stamp}}}\n"
        f"spec:\n  models: [{models}]\n  rules: [{{targets: [{{deployment: {target}}}]}}]\n"
        "  authentication: {anonymous: true}\n"
    )


def together(*texts: str, fleet: str = "", mode: Mode = "any") -> list[str]:
    files = {"a.yaml": "---\n".join(texts), **({"fleet.yaml": fleet} if fleet else {})}
    return [finding.text() for finding in examine(files, mode).findings]


def located(*texts: str) -> list[Located[Stated]]:
    objects, findings = parse_documents("a.yaml", "---\n".join(texts))
    assert findings == []
    return objects


def routes(objects: Sequence[Located[Stated]]) -> list[ModelRoute]:
    return [one.resource for one in objects if isinstance(one.resource, ModelRoute)]


def test_objects_that_fit_together_have_no_finding() -> None:
    assert together(deployment("small"), route("chat", "chat"), hosted("https://api.example.com/v1")) == []


def test_the_first_route_owns_a_name_where_no_route_is_older() -> None:
    objects = routes(located(route("b", "x"), route("a", "x, z")))
    assert name_owners(objects) == {"x": ObjectKey("chat", "b"), "z": ObjectKey("chat", "a")}


def test_the_oldest_route_owns_a_name_in_whatever_order_they_come() -> None:
    texts = (
        route("young", "x", created="2027-01-01T00:00:00Z"),
        route("old", "x", created="2026-01-01T00:00:00Z"),
        route("unborn", "x"),
    )
    for order in itertools.permutations(texts):
        assert name_owners(routes(located(*order))) == {"x": ObjectKey("chat", "old")}


def test_the_second_claim_names_the_first_and_its_line() -> None:
    (said,) = together(deployment("small"), route("b", "x"), route("a", "x"))
    assert said == (
        'a.yaml:20: ModelRoute chat/a: spec.models[0]: "x" belongs to ModelRoute chat/b (a.yaml:12); '
        "choose another name, or remove it there"
    )


FLEET = "gateway:\n  names:\n  - {namespaceSelector: {matchLabels: {LABEL}}, models: ['team-a/*', chat]}\n"


@pytest.mark.parametrize(
    ("name", "namespace", "allowed"),
    [
        ("chat", "team-a", True),
        ("team-a/x", "team-a", True),
        ("team-ax", "team-a", False),
        ("other", "team-a", False),
        ("chat", "team-b", False),
    ],
)
def test_only_namespaces_that_the_fleet_names_may_claim(name: str, namespace: str, allowed: bool) -> None:
    fleet = FLEET.replace("LABEL", "kubernetes.io/metadata.name: team-a")
    objects = together(
        deployment("small", namespace=namespace), route("r", name, namespace=namespace), fleet=fleet
    )
    assert (objects == []) is allowed


def test_labels_of_namespaces_come_from_the_cluster() -> None:
    objects = located(deployment("small"), route("r", "chat"))
    fleet, _ = parse_documents("fleet.yaml", FLEET.replace("LABEL", "team: a"))
    assert len(check_objects([*objects, *fleet])) == 1
    assert check_objects([*objects, *fleet], namespace_labels={"chat": {"team": "a"}}) == []


def test_a_wrong_object_is_not_reported_as_missing_too() -> None:
    wrong = deployment("small").replace("source:", "sauce:")
    assert all("there is no" not in line for line in together(wrong, route("chat", "chat")))


def test_nothing_is_reported_as_missing_while_a_file_cannot_be_read() -> None:
    said = examine({"a.yaml": route("chat", "chat"), "b.yaml": "a: ["}).findings
    assert [finding.file for finding in said] == ["b.yaml"]


def test_a_check_without_files_has_no_place() -> None:
    objects: list[Located[Stated]] = [
        Located(one.resource) for one in located(route("chat", "chat", target="gone"))
    ]
    (finding,) = check_objects(objects, "cluster")
    assert isinstance(finding, Finding)
    assert finding.text().startswith(
        "ModelRoute chat/chat: spec.rules[0].targets[0].deployment: there is no "
    )
    assert check_objects(objects, unread=Unread(anything=True)) == []


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "10.1.2.3",
        "172.16.0.1", "192.168.1.1", "169.254.169.254", "fd00::1", "fe80::1", "::ffff:10.0.0.1", "100.64.0.1",
        "224.0.0.1", "vllm", "vllm.models.svc", "vllm.models.svc.cluster.local", "metadata.google.internal",
        "printer.local", "nas.home.arpa", "2130706433", "0x7f000001", "127.1", "0177.0.0.1", "10.0x1",
        "x.svc.corp.example",
    ],
)  # fmt: skip
def test_a_private_host_is_recognised(host: str) -> None:
    assert is_private(host)


@pytest.mark.parametrize(
    "host", ["api.openai.com", "8.8.8.8", "2606:4700::1111", "a-1.example.com", "x1.y2.zone"]
)
def test_a_public_host_is_none(host: str) -> None:
    assert not is_private(host)
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("host", "listed", "allowed"),
    [
        ("10.1.2.3", ["10.0.0.0/8"], True),
        ("10.1.2.3", ["10.1.2.3"], True),
        ("11.1.2.3", ["10.0.0.0/8"], False),
        ("a.svc.cluster.local", ["*.svc.cluster.local"], True),
        ("svc.cluster.local", ["*.svc.cluster.local"], False),
        ("llm.corp.local", ["LLM.corp.local"], True),
        ("llm.corp.local", ["corp.local"], False),
        ("::ffff:10.1.1.1", ["10.0.0.0/8"], True),
        ("fd00::5", ["fd00::/8", "10.0.0.0/8"], True),
        ("x", [], False),
    ],
)
def test_a_list_of_hosts_names_hosts_suffixes_addresses_and_networks(
    host: str, listed: list[str], allowed: bool
) -> None:
    assert is_allowed(host, listed) is allowed


@pytest.mark.parametrize(("mode", "findings"), [("local", 0), ("any", 0), ("cluster", 1)])
def test_this_machine_is_a_host_of_local_mode_only(mode: Mode, findings: int) -> None:
    for url in ("http://127.0.0.1:9000/v1", "http://localhost:9000/v1", "http://[::1]:9000/v1"):
        assert len(together(hosted(url), mode=mode)) == findings


def test_the_fleet_may_allow_a_private_host() -> None:
    fleet = "gateway: {allowedPrivateHosts: ['*.models.svc']}\n"
    assert together(hosted("http://vllm.models.svc:8000/v1"), fleet=fleet) == []
    assert FleetSettings().gateway.allowed_private_hosts == ()


CREDENTIALS = "    credentials: {secretRef: {name: openai, key: api-key}}\n"
SECRET = (
    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: openai\n  namespace: chat\n"
    "  annotations: {pointsman.dev/allowed-hosts: HOSTS, pointsman.dev/env.api-key: KEY}\n"
)


def test_a_key_from_the_environment_counts_as_there() -> None:
    secret = SECRET.replace("HOSTS", "api.example.com")
    assert together(hosted("https://api.example.com/v1", CREDENTIALS), secret, mode="local") == []


def test_a_key_may_go_to_the_hosts_of_its_annotation_and_no_other() -> None:
    (said,) = together(
        hosted("https://evil.example.org/v1", CREDENTIALS), SECRET.replace("HOSTS", "api.example.com")
    )
    assert (
        "chat/openai may not be sent to evil.example.org; set its annotation pointsman.dev/allowed-hosts: "
        in said
    )


def test_local_mode_needs_the_secret_and_a_cluster_may_have_it() -> None:
    texts = (hosted("https://api.example.com/v1", CREDENTIALS),)
    assert [
        ": warning: " in line for mode in ("local", "cluster") for line in together(*texts, mode=mode)
    ] == [
        False,
        True,
    ]


def test_a_secret_that_only_the_cluster_has_is_no_error_because_another_is_named_alike() -> None:
    texts = (
        hosted("https://api.example.com/v1", CREDENTIALS),
        SECRET.replace("HOSTS", "api.example.com").replace("name: openai", "name: openai-eu"),
    )
    path = "spec.hosted.credentials.secretRef.name: "
    (said,) = together(*texts, mode="cluster")
    assert ": warning: " in said
    assert said.endswith(f'{path}Secret chat/openai is not among these files; did you mean "openai-eu"?')
    (said,) = together(*texts, mode="local")
    assert said.endswith(f'{path}there is no Secret chat/openai; did you mean "openai-eu"?')
    assert ": warning: " not in said


API_KEYS = "authentication: {apiKeys: {secretSelector: {matchLabels: {team: a}}}}"


def test_api_keys_that_only_the_cluster_has_are_not_said_to_be_missing() -> None:
    text = route("chat", "chat").replace("authentication: {anonymous: true}", API_KEYS)
    (said,) = together(deployment("small"), text, mode="local")
    assert (
        "no Secret in namespace chat has these labels, so nobody may call this route; label a Secret" in said
    )
    (said,) = together(deployment("small"), text, mode="cluster")
    assert "no Secret of namespace chat among these files has these labels; make sure that" in said
    assert ": warning: " in said


def test_two_deployments_may_stand_in_for_each_other() -> None:
    text = route("chat", "chat").replace(
        "targets: [{deployment: small}]",
        "targets: [{deployment: a}, {deployment: b}], "
        "fallback: {targets: [{deployment: a}, {deployment: b}]}",
    )
    assert together(deployment("a"), deployment("b"), text) == []


def test_a_weight_of_0_does_not_save_a_fallback_to_itself() -> None:
    text = route("chat", "chat").replace(
        "targets: [{deployment: small}]",
        "targets: [{deployment: a}, {deployment: b, weight: 0}], fallback: {targets: [{deployment: a}]}",
    )
    assert "a would fall back to itself" in together(deployment("a"), deployment("b"), text)[0]
