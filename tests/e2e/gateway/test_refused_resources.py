"""What Envoy refuses stays with its own route: all others' changes go on, also when a gateway begins anew."""

from __future__ import annotations

import os
import signal

import pytest

from pointsman.api import ModelDeployment, ModelRoute, ObjectKey, Secret
from pointsman.routing import RoutingInput
from tests.e2e.gateway.scene import Scene, error_of, target
from tests.support.builders import deployment, hosted, key, route, routing_input, rule, secret
from tests.support.certificates import CertificateAuthority
from tests.support.engine_stand_in import EngineStandIn
from tests.support.polling import eventually_async
from tests.support.provider_stand_in import ProviderStandIn

ROUTES = 1000
START_SECONDS = 60.0  # 7 s where the machine has nothing else to do; one refusal at a time would take minutes
EDIT_SECONDS = 30.0

# RE2 counts repetitions of repetitions.
REFUSED_REGEX = "(a{1000}){10}"
JUNK = "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"
REGEX_REASON = "invalid repetition size"
JUNK_REASON = "Failed to load trusted CA certificates"


def matching(name: str, regex: str, to: str) -> ModelRoute:
    """A route to `to` with a rule of that expression, past the API's own check, which may miss one."""
    valid = route(name, [to], rules=[rule([to], headers={"x-team": "any"})])
    first, *rest = valid.spec.rules
    assert first.match is not None
    assert first.match.headers is not None
    header = first.match.headers[0].model_copy(update={"value": None, "regex": regex})
    match = first.match.model_copy(update={"headers": (header,)})
    rules = (first.model_copy(update={"match": match}), *rest)
    return valid.model_copy(update={"spec": valid.spec.model_copy(update={"rules": rules})})


def behind_tls(port: int) -> ModelDeployment:
    return hosted("tls", f"https://localhost:{port}/v1", ca_certificates=("ca", "ca.crt"))


def certificates(text: str) -> Secret:
    return secret("ca", {"ca.crt": text})


def name_of(index: int) -> str:
    return f"m-{index:04}"


def many_routes(count: int, port: int, *more: ModelDeployment | ModelRoute | Secret) -> RoutingInput:
    """So many routes, each with a deployment of its own; all replicas are one stand-in."""
    names = [name_of(index) for index in range(count)]
    return routing_input(
        *map(deployment, names),
        *(route(name, [name]) for name in names),
        *more,
        endpoints={name: [port] for name in names},
    )


def with_route(given: RoutingInput, *routes: ModelRoute) -> RoutingInput:
    """The same input with some routes replaced or added; all other objects are the same as before."""
    changed = {**given.routes, **{item.key: item for item in routes}}
    return RoutingInput(given.deployments, changed, given.endpoints, given.secrets, given.fleet)


def with_secret(given: RoutingInput, item: Secret) -> RoutingInput:
    changed = {**given.secrets, item.key: item}
    return RoutingInput(given.deployments, given.routes, given.endpoints, changed, given.fleet)


def refused(scene: Scene) -> dict[ObjectKey, str]:
    """The routes that Envoy does not take as written, with its reason."""
    states = scene.gateway.programming()
    return {route: state.message for route, state in states.items() if not state.accepted}


async def answered_by(scene: Scene, model: str, name: str) -> None:
    """Wait until a model is answered by a deployment."""

    async def answered() -> bool:
        answer = await scene.client.chat(model)
        assert target(answer) == name, f"{answer.status} {answer.body}"
        return True

    await eventually_async(answered, EDIT_SECONDS, f"{model} is answered by {name}")


@pytest.fixture
async def engine(scene: Scene) -> EngineStandIn:
    return await scene.engine("own")


async def test_two_refused_routes_of_a_thousand_stop_nobody(scene: Scene, engine: EngineStandIn) -> None:
    """A gateway that begins with both; the bad names sort before and in the midst of all others."""
    bad_regex = matching("m-0500-bad-regex", REFUSED_REGEX, name_of(0))
    bad_certificate = route("a-bad-certificate", ["tls"], fallback=[name_of(1)])
    given = many_routes(ROUTES, engine.port, bad_regex, behind_tls(1), certificates(JUNK), bad_certificate)
    await scene.serve_input(given, within_seconds=START_SECONDS)

    reasons = refused(scene)
    assert set(reasons) == {key("m-0500-bad-regex"), key("a-bad-certificate")}
    assert REGEX_REASON in reasons[key("m-0500-bad-regex")]
    assert JUNK_REASON in reasons[key("a-bad-certificate")]
    assert "default/ca/ca.crt" in reasons[key("a-bad-certificate")]

    # Every single one of the others works, those before the culprits as well as those after them.
    for index in range(ROUTES):
        answer = await scene.client.chat(name_of(index))
        assert target(answer) == name_of(index), f"{name_of(index)}: {answer.status} {answer.body}"
    for path in ("/v1/missing", "/v1/models"):
        assert (await scene.client.request("GET", path)).status == (404 if path.endswith("missing") else 200)
    answer = await scene.client.chat("m-0500-bad-regex")
    assert answer.status == 503
    assert error_of(answer)["code"] == "route_not_accepted"
    # No connection without certificates to check it by: the next target answers.
    assert target(await scene.client.chat("a-bad-certificate")) == name_of(1)

    # Changes of others go on.
    await scene.serve_input(with_route(given, route(name_of(7), [name_of(8)])))
    await answered_by(scene, name_of(7), name_of(8))
    assert set(refused(scene)) == set(reasons)

    # Mended, the routes are like any other.
    names = "|".join(f"team-{index:02}-of-the-house" for index in range(24))
    mended = with_route(given, matching("m-0500-bad-regex", names, name_of(0)))
    authority = CertificateAuthority()
    await scene.serve_input(with_secret(mended, certificates(authority.certificate_pem.decode())))
    assert not refused(scene)
    await answered_by(scene, "m-0500-bad-regex", name_of(0))
    await answered_by(scene, "a-bad-certificate", name_of(1))


async def test_a_refused_edit_among_good_ones_takes_none_of_them_along(
    scene: Scene, engine: EngineStandIn
) -> None:
    given = many_routes(40, engine.port)
    await scene.serve_input(given)
    edits = [route(name_of(index), [name_of((index + 1) % 40)]) for index in range(40)]
    edits[20] = matching(name_of(20), REFUSED_REGEX, name_of(21))
    await scene.serve_input(with_route(given, *edits))
    assert set(refused(scene)) == {key(name_of(20))}
    for index in range(40):
        wanted = name_of(20) if index == 20 else name_of((index + 1) % 40)
        await answered_by(scene, name_of(index), wanted)


async def test_after_a_refused_edit_the_last_accepted_form_serves_on_also_in_a_new_envoy(
    scene: Scene, engine: EngineStandIn
) -> None:
    given = many_routes(5, engine.port)
    await scene.serve_input(given)
    bad = with_route(given, matching(name_of(2), REFUSED_REGEX, name_of(3)))
    await scene.serve_input(bad)
    assert REGEX_REASON in refused(scene)[key(name_of(2))]
    await answered_by(scene, name_of(2), name_of(2))

    await restart_envoy(scene)
    for index in range(5):
        await answered_by(scene, name_of(index), name_of(index))
    await scene.gateway.ready(START_SECONDS)
    assert set(refused(scene)) == {key(name_of(2))}, "and the route still says why"

    await scene.serve_input(with_route(given, route(name_of(2), [name_of(3)])))
    assert not refused(scene)
    await answered_by(scene, name_of(2), name_of(3))


async def restart_envoy(scene: Scene) -> None:
    """kill -9, and wait for the next one to answer."""
    envoy = scene.gateway.envoy
    before = envoy.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)

    async def another() -> bool:
        assert envoy.pid not in (None, before), "no new process"
        return (await scene.client.request("GET", "/v1/models")).ok

    await eventually_async(another, START_SECONDS, "a new Envoy serves")


async def test_refused_certificates_leave_the_last_accepted_ones_in_use(
    scene: Scene, engine: EngineStandIn
) -> None:
    authority = CertificateAuthority()
    provider: ProviderStandIn = await scene.provider("tls", authority=authority)
    good = certificates(authority.certificate_pem.decode())
    given = many_routes(3, engine.port, behind_tls(provider.port), good, route("tls", ["tls"]))
    await scene.serve_input(given)
    await answered_by(scene, "tls", "tls")
    await scene.serve_input(with_secret(given, certificates(JUNK)))
    assert set(refused(scene)) == {key("tls")}
    await answered_by(scene, "tls", "tls")
    await restart_envoy(scene)
    await answered_by(scene, "tls", "tls")
    await scene.serve_input(given)
    assert not refused(scene)
    await answered_by(scene, "tls", "tls")


async def test_a_removed_key_stops_working_although_the_edit_is_refused(
    scene: Scene, engine: EngineStandIn
) -> None:
    team = {"team": "a"}
    good = route("chat", ["own"], api_keys=team)
    bad = good.model_copy(
        update={
            "spec": good.spec.model_copy(update={"rules": matching("chat", REFUSED_REGEX, "own").spec.rules})
        }
    )
    both = secret("clients", {"alice": "pm-alice", "bob": "pm-bob"}, labels=team)
    endpoints = {"own": [engine.port]}
    alice, bob = [await scene.other_client(api_key=f"pm-{name}") for name in ("alice", "bob")]
    await scene.serve(deployment("own"), good, both, endpoints=endpoints)
    await scene.serve(deployment("own"), bad, both, endpoints=endpoints)
    assert target(await bob.chat("chat")) == "own", "the last accepted form"
    alone = secret("clients", {"alice": "pm-alice"}, labels=team)
    await scene.serve(deployment("own"), bad, alone, endpoints=endpoints)
    assert (await bob.chat("chat")).status == 401
    assert (await alice.chat("chat")).status == 503, "there is no form left that would be for her alone"
    await scene.serve(deployment("own"), good, alone, endpoints=endpoints)
    assert target(await alice.chat("chat")) == "own"
    assert (await bob.chat("chat")).status == 401
