"""Where credentials come from, and when they are read again."""

from __future__ import annotations

import base64
import json
import ssl
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pointsman.kube.credentials import (
    Context,
    InCluster,
    Kubeconfig,
    default_kubeconfig,
    find_context,
    find_credentials,
)
from pointsman.kube.errors import BadCredentials
from tests.support.certificates import CertificateAuthority


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def authority() -> CertificateAuthority:
    return CertificateAuthority("credentials")


@pytest.fixture
def ca_file(tmp_path: Path, authority: CertificateAuthority) -> Path:
    path = tmp_path / "ca.pem"
    path.write_bytes(authority.certificate_pem)
    return path


def kubeconfig(path: Path, user: dict[str, Any], cluster: dict[str, Any] | None = None) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "c", "cluster": {"server": "https://api.example.com:6443/", **(cluster or {})}}
        ],
        "users": [{"name": "u", "user": user}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u"}},
            {"name": "nobody", "context": {"cluster": "c"}},
        ],
        "current-context": "one",
    }
    path.write_text(json.dumps(document))
    return path


async def test_a_token(tmp_path: Path, clock: Clock) -> None:
    file = kubeconfig(tmp_path / "k", {"token": "secret"}, {"tls-server-name": "other.example.com"})
    access = await Kubeconfig(str(file), clock=clock).access()
    assert access.server == "https://api.example.com:6443"
    assert access.authorization == "Bearer secret"
    assert access.server_name == "other.example.com"
    assert access.tls is not None
    assert access.tls.verify_mode is ssl.CERT_REQUIRED
    assert "secret" not in repr(access)


async def test_an_authority_that_is_not_checked(tmp_path: Path, clock: Clock) -> None:
    file = kubeconfig(tmp_path / "k", {"token": "x"}, {"insecure-skip-tls-verify": True})
    access = await Kubeconfig(str(file), clock=clock).access()
    assert access.tls is not None
    assert access.tls.verify_mode is ssl.CERT_NONE


async def test_a_client_certificate(tmp_path: Path, clock: Clock, authority: CertificateAuthority) -> None:
    issued = authority.issue_client("somebody", ())
    user = {
        "client-certificate-data": base64.b64encode(issued.certificate_pem).decode(),
        "client-key-data": base64.b64encode(issued.key_pem).decode(),
    }
    ca = {"certificate-authority-data": base64.b64encode(authority.certificate_pem).decode()}
    access = await Kubeconfig(str(kubeconfig(tmp_path / "k", user, ca)), clock=clock).access()
    assert access.authorization == ""
    assert access.tls is not None
    assert len(access.tls.get_ca_certs()) == 1


async def test_a_token_file_is_read_again_each_minute_and_the_tls_context_kept(
    tmp_path: Path, clock: Clock
) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    credentials = Kubeconfig(str(kubeconfig(tmp_path / "k", {"tokenFile": str(token)})), clock=clock)
    first = await credentials.access()
    token.write_text("second")
    clock.now += 59
    assert await credentials.access() is first
    clock.now += 2
    second = await credentials.access()
    assert second.authorization == "Bearer second"
    assert second.tls is first.tls


async def test_refused_credentials_are_read_again_before_their_time_but_not_each_time(
    tmp_path: Path, clock: Clock
) -> None:
    file = kubeconfig(tmp_path / "k", {"token": "first"})
    credentials = Kubeconfig(str(file), clock=clock)
    await credentials.access()
    kubeconfig(file, {"token": "second"})
    credentials.refuse()
    assert (await credentials.access()).authorization == "Bearer first", "it was read a moment ago"
    clock.now += 6
    assert (await credentials.access()).authorization == "Bearer second"


async def test_a_context_by_name_and_a_user_that_says_nothing(tmp_path: Path, clock: Clock) -> None:
    file = kubeconfig(tmp_path / "k", {"token": "x"}, {"server": "http://127.0.0.1:1"})
    access = await Kubeconfig(str(file), "nobody", clock=clock).access()
    assert access.authorization == ""
    assert access.tls is None


def plugin(tmp_path: Path, status: dict[str, Any]) -> dict[str, Any]:
    """An exec plugin that counts its calls in the token that it gives."""
    program = tmp_path / "plugin.py"
    program.write_text(
        "import json, pathlib\n"
        f"calls = pathlib.Path({str(tmp_path / 'calls')!r})\n"
        "count = len(calls.read_text()) if calls.exists() else 0\n"
        "calls.write_text('x' * (count + 1))\n"
        f"status = {status!r}\n"
        "status['token'] = f'call-{count + 1}'\n"
        "version = 'client.authentication.k8s.io/v1'\n"
        "print(json.dumps({'apiVersion': version, 'kind': 'ExecCredential', 'status': status}))\n"
    )
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": [str(program)],
        }
    }


async def test_a_plugin_runs_once_until_it_is_refused(tmp_path: Path, clock: Clock) -> None:
    credentials = Kubeconfig(str(kubeconfig(tmp_path / "k", plugin(tmp_path, {}))), clock=clock)
    assert (await credentials.access()).authorization == "Bearer call-1"
    clock.now += 10_000
    assert (await credentials.access()).authorization == "Bearer call-1"
    credentials.refuse()
    assert (await credentials.access()).authorization == "Bearer call-2"


async def test_a_plugin_runs_again_before_what_it_gave_ends(tmp_path: Path, clock: Clock) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=90)).strftime("%Y-%m-%dT%H:%M:%SZ")
    file = kubeconfig(tmp_path / "k", plugin(tmp_path, {"expirationTimestamp": soon}))
    credentials = Kubeconfig(str(file), clock=clock)
    assert (await credentials.access()).authorization == "Bearer call-1"
    assert (await credentials.access()).authorization == "Bearer call-2"


async def test_a_plugin_that_fails_says_which(tmp_path: Path, clock: Clock) -> None:
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/does/not/exist"}}
    credentials = Kubeconfig(str(kubeconfig(tmp_path / "k", user)), clock=clock)
    with pytest.raises(BadCredentials, match="run /does/not/exist by hand"):
        await credentials.access()


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "current-context: none\nclusters: []\nusers: []\ncontexts: []"]
)
async def test_a_kubeconfig_that_is_none_is_said_in_one_line(tmp_path: Path, clock: Clock, text: str) -> None:
    file = tmp_path / "k"
    file.write_text(text)
    with pytest.raises(BadCredentials) as caught:
        await Kubeconfig(str(file), clock=clock).access()
    assert str(file) in str(caught.value)
    with pytest.raises(BadCredentials, match="no such file"):
        await Kubeconfig(str(tmp_path / "none"), clock=clock).access()


async def test_the_pods_token_is_read_again_each_minute(tmp_path: Path, ca_file: Path, clock: Clock) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    credentials = InCluster(str(token), str(ca_file), environment=environment, clock=clock)
    access = await credentials.access()
    assert access.server == "https://[fd00::1]:443"
    assert access.authorization.lower() == "bearer first"
    token.write_text("second")
    clock.now += 61
    assert (await credentials.access()).authorization.lower() == "bearer second"


async def test_a_pod_without_a_token_says_so(tmp_path: Path, ca_file: Path, clock: Clock) -> None:
    environment = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    credentials = InCluster(str(tmp_path / "none"), str(ca_file), environment=environment, clock=clock)
    with pytest.raises(BadCredentials, match="token file does not exist"):
        await credentials.access()


def test_where_credentials_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(BadCredentials, match="no cluster is known"):
        find_credentials()
    (tmp_path / ".kube").mkdir()
    kubeconfig(tmp_path / ".kube" / "config", {"token": "x"})
    assert isinstance(find_credentials(), Kubeconfig)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert isinstance(find_credentials(), InCluster)
    named = tmp_path / "named"
    kubeconfig(named, {"token": "x"})
    monkeypatch.setenv("KUBECONFIG", str(named))
    assert isinstance(find_credentials(), Kubeconfig)


def test_what_no_waiting_mends_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else an operator would try again for ever, and say why in its log alone."""
    with pytest.raises(BadCredentials, match=r"/nowhere: there is no such kubeconfig"):
        find_credentials("/nowhere")
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    with pytest.raises(BadCredentials, match=r"/nowhere: there is no such kubeconfig"):
        find_credentials()
    kubeconfig(tmp_path / "config", {"token": "x"})
    with pytest.raises(BadCredentials, match='it has no context "other"'):
        find_credentials(str(tmp_path / "config"), "other")


CONTEXTS = {
    "current-context": "dev",
    "contexts": [
        {"name": "dev", "context": {"cluster": "c", "user": "u"}},
        {"name": "prod", "context": {"cluster": "c", "user": "u", "namespace": "chat"}},
    ],
}


def test_a_context_has_a_namespace_as_kubectl_takes_it(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(json.dumps(CONTEXTS))
    assert find_context(str(file)) == Context("dev", "default")
    assert find_context(f"{tmp_path / 'none'}:{file}", "prod") == Context("prod", "chat")
    for name, text, said in (
        (
            "unknown",
            json.dumps(CONTEXTS),
            'it has no context "unknown"; name one of dev, prod with --context',
        ),
        ("", "{}", "it names no current context; see kubectl config"),
        ("", "[]", "this is no kubeconfig; check it with kubectl"),
        ("", "contexts: [", "this is no kubeconfig; check it with kubectl"),
        ("", "contexts: [1]", "this is no kubeconfig; check it with kubectl"),
        ("", "contexts: [{name: a}]", "this is no kubeconfig; check it with kubectl"),
        ("", "", "this is no kubeconfig; check it with kubectl"),
    ):
        file.write_text(text)
        with pytest.raises(BadCredentials) as error:
            find_context(str(file), name)
        assert str(error.value) == f"{file}: {said}"


def test_a_kubeconfig_is_where_kubectl_looks(tmp_path: Path) -> None:
    assert default_kubeconfig({"HOME": str(tmp_path)}) == ""
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").touch()
    assert default_kubeconfig({"HOME": str(tmp_path)}) == str(tmp_path / ".kube" / "config")
    assert default_kubeconfig({"HOME": str(tmp_path), "KUBECONFIG": "a:b"}) == "a:b"
