"""Keys are looked for wherever someone may look: Envoy's log and pages, processes, files, reprs, metrics."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pointsman.gateway.metrics_page import MetricsPage
from pointsman.routing import Compiler
from tests.e2e.gateway.scene import Scene, target
from tests.support.behaviour import Behaviour, Fault
from tests.support.builders import deployment, hosted, route, rule, secret
from tests.support.certificates import CertificateAuthority
from tests.support.provider_stand_in import KeyHeader, azure_prefix

BEARER_KEY = "sk-proj-5b1f9d20c4"
AZURE_KEY = "az-2d44e1f08c77"
UNUSED_KEY = "sk-unused-90aa13"
NOT_ALLOWED_KEY = "sk-elsewhere-3c55"
CLIENT_KEY = "pm-client-8e07b6"
WRONG_KEY = "pm-wrong-1f2e3d"
SECRETS = (BEARER_KEY, AZURE_KEY, UNUSED_KEY, NOT_ALLOWED_KEY, CLIENT_KEY, WRONG_KEY)
TEAM = {"team": "a"}

ADMIN_PAGES = (
    "/config_dump?include_eds",
    "/clusters",
    "/clusters?format=json",
    "/listeners",
    "/certs",
    "/stats",
    "/stats/prometheus",
    "/server_info",
    "/runtime",
    "/init_dump",
    "/memory",
    "/contention",
    "/ready",
)


def forms(word: str) -> Iterator[str]:
    """A secret as it may stand in a page: plain, in base64 at each offset, in hexadecimal digits."""
    yield word
    for offset in range(3):
        encoded = base64.b64encode(b"x" * offset + word.encode()).decode()
        # The first and last characters depend on what stands beside the secret.
        yield encoded[4 * bool(offset) : -4]
    yield word.encode().hex()


def found_in(text: str) -> set[str]:
    return {word for word in SECRETS for form in forms(word) if form in text}


@pytest.fixture
async def used(scene: Scene) -> Scene:
    """A gateway that has used each key, failed with each, and been asked with wrong ones."""
    authority = CertificateAuthority()
    bearer = await scene.provider("bearer", keys=[BEARER_KEY], authority=authority)
    path = azure_prefix("m")
    azure = await scene.provider("azure", keys=[AZURE_KEY], key_header=KeyHeader.API_KEY, prefixes=[path])
    own = await scene.engine("own")
    await scene.serve(
        hosted(
            "bearer",
            f"https://localhost:{bearer.port}/v1",
            secret=("keys", "bearer"),
            ca_certificates=("ca", "ca.crt"),
        ),
        hosted("azure", f"http://localhost:{azure.port}{path}", provider="azure", secret=("keys", "azure")),
        hosted("elsewhere", f"http://127.0.0.1:{azure.port}/v1", secret=("elsewhere", "key")),
        deployment("own"),
        secret(
            "keys",
            {"bearer": BEARER_KEY, "azure": AZURE_KEY, "unused": UNUSED_KEY},
            allowed_hosts=["localhost"],
        ),
        secret("elsewhere", {"key": NOT_ALLOWED_KEY}, allowed_hosts=["api.example.com"]),
        secret("ca", {"ca.crt": authority.certificate_pem.decode()}),
        secret("clients", {"alice": CLIENT_KEY}, labels=TEAM),
        route("chat", ["bearer"], fallback=["azure", "own"], cooldown=(10_000, "1s"), api_keys=TEAM),
        route("other", ["elsewhere"], fallback=["own"]),
        endpoints={"own": [own.port]},
    )
    for key, expected in ((CLIENT_KEY, 200), (WRONG_KEY, 401)):
        client = await scene.other_client(api_key=key)
        for ask in (client.chat, client.stream_chat):
            assert (await ask("chat")).status == expected
            assert (await ask("other")).ok
    client = await scene.other_client(api_key=CLIENT_KEY)
    for failing in (bearer, azure):
        failing.script.default = Behaviour(fault=Fault.RESET_BEFORE_HEADERS)
        assert (await client.chat("chat")).ok
    assert target(await client.chat("chat")) == "own"
    await bearer.stop()
    assert target(await client.chat("chat")) == "own"
    assert bearer.keys_seen() == {BEARER_KEY}
    assert azure.keys_seen() == {AZURE_KEY}
    return scene


async def test_envoys_pages_and_log_show_no_secret(used: Scene) -> None:
    for page in ADMIN_PAGES:
        text = await used.gateway.envoy.admin.get(page)
        assert text, page
        assert not found_in(text), page
    assert not found_in(used.log())
    # The keys are there all the same, hidden by Envoy: the search above looked at the right page.
    dump = await used.gateway.envoy.admin.get("/config_dump?include_eds")
    assert "default/keys/bearer" in dump
    assert "api_key_auth" in dump
    assert "[redacted]" in dump
    assert not found_in(await MetricsPage(used.gateway).text())


async def test_processes_and_files_show_no_secret(used: Scene) -> None:
    pid = used.gateway.envoy.pid
    assert pid is not None
    for process in psutil.Process().children(recursive=True):
        if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            assert not found_in(" ".join(process.cmdline()))
            assert not found_in("\n".join(f"{k}={v}" for k, v in process.environ().items()))
    command = psutil.Process(pid).cmdline()
    folder = Path(command[command.index("--config-path") + 1]).parent
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert not found_in(path.read_text(encoding="utf-8", errors="replace")), path
    assert folder.stat().st_mode & 0o077 == 0, "nobody else reads the sockets' folder"


async def test_reprs_messages_and_logs_show_no_secret(used: Scene, capfd: pytest.CaptureFixture[str]) -> None:
    given = used.given
    resources = Compiler(used.settings).compile(given)
    shown = [repr(given), str(given), repr(resources), repr(used.gateway), repr(used.gateway.programming())]
    shown += [repr(item) for item in given.secrets.values()]
    shown += [str(item) for item in given.secrets.values()]
    shown += [repr(item) for item in (*given.routes.values(), *given.deployments.values())]
    shown += [*capfd.readouterr()]
    for text in shown:
        assert not found_in(text), text[:200]


async def test_a_refused_route_shows_no_key_of_its_clients(
    scene: Scene, capfd: pytest.CaptureFixture[str]
) -> None:
    """Envoy quotes the message whose field breaks a rule, and with it all that is inside."""
    own = await scene.engine("own")
    keys = secret("clients", {"alice": CLIENT_KEY}, labels=TEAM)
    valid = route("chat", ["own"], rules=[rule(["own"], headers={"x-team": "any"})], api_keys=TEAM)
    first = valid.spec.rules[0]
    assert first.match is not None
    assert first.match.headers is not None
    # Past the API's own check.
    header = first.match.headers[0].model_copy(update={"name": "x\nteam"})
    rules = (first.model_copy(update={"match": first.match.model_copy(update={"headers": (header,)})}),)
    bad = valid.model_copy(update={"spec": valid.spec.model_copy(update={"rules": rules})})
    await scene.serve(deployment("own"), keys, bad, endpoints={"own": [own.port]})
    state = scene.programming("chat")
    assert state.reason == "RefusedByEnvoy"
    assert state.message.endswith("a field breaks a rule of its message (which one, Envoy cut off)")
    for text in (state.message, scene.log(), *capfd.readouterr()):
        assert not found_in(text), text
