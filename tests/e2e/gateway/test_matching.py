"""Which rule takes a request, and how its weights share the requests out."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from tests.e2e.gateway.scene import Scene, error_of, in_parallel, target
from tests.support.builders import deployment, route, rule
from tests.support.clients import Answer

CHAT = "/v1/chat/completions"


async def serve(scene: Scene, *names: str, rules: list[dict[str, Any]]) -> None:
    """One engine behind all of these deployments, and the route `chat` with these rules."""
    engine = await scene.engine("any")
    await scene.serve(
        *map(deployment, names),
        route("chat", rules=rules),
        endpoints={name: [engine.port] for name in names},
    )


async def taken_by(scene: Scene, headers: Mapping[str, str], **body: Any) -> str:
    answer = await scene.client.chat("chat", headers=headers, **body)
    assert answer.ok, answer
    return target(answer)


def regex_rule(name: str, regex: str, to: str) -> dict[str, Any]:
    return {
        "match": {"headers": [{"name": name, "regex": regex}]},
        "targets": [{"deployment": to}],
    }


async def test_the_first_rule_that_matches_takes_the_request(scene: Scene) -> None:
    await serve(
        scene,
        *("gold", "team", "both", "rest"),
        rules=[
            rule(["both"], headers={"x-tier": "gold", "x-team": "red"}),
            rule(["gold"], headers={"x-tier": "gold"}),
            regex_rule("x-team", "(red|blue)-[0-9]+", "team"),
            rule(["rest"]),
        ],
    )
    expected: list[tuple[dict[str, str], str]] = [
        ({}, "rest"),
        ({"x-tier": "gold"}, "gold"),
        ({"X-Tier": "gold"}, "gold"),
        ({"x-tier": "Gold"}, "rest"),
        ({"x-tier": "golden"}, "rest"),
        ({"x-tier": "gold", "x-team": "red"}, "both"),
        ({"x-tier": "gold", "x-team": "red-1"}, "gold"),
        ({"x-team": "red-12"}, "team"),
        ({"x-team": "blue-7"}, "team"),
        ({"x-team": "red-"}, "rest"),
        ({"x-team": "a red-1"}, "rest"),
        ({"x-team": "red-1 "}, "team"),
        ({"x-team": ""}, "rest"),
    ]
    for headers, name in expected:
        for stream in (False, True):
            assert await taken_by(scene, headers, stream=stream) == name, headers


async def test_long_prompts_go_where_they_fit(scene: Scene) -> None:
    """A token is taken to be four bytes of body."""
    await serve(
        scene,
        *("long", "longer", "short"),
        rules=[
            rule(["longer"], min_prompt_tokens=10_000),
            rule(["long"], min_prompt_tokens=1_000),
            rule(["short"]),
        ],
    )
    for tokens, name in ((10, "short"), (999, "short"), (1_000, "long"), (9_999, "long"), (10_000, "longer")):
        bare = len(json.dumps({"model": "chat", "messages": [{"role": "user", "content": ""}]}))
        prompt = "x" * max(0, tokens * 4 - bare)
        body = json.dumps({"model": "chat", "messages": [{"role": "user", "content": prompt}]}).encode()
        answer = await scene.client.request("POST", CHAT, body)
        assert target(answer) == name, (tokens, len(body))
        # A client cannot say how long its prompt is.
        answer = await scene.client.request("POST", CHAT, body, headers={"x-pm-bytes": "1"})
        assert target(answer) == name


async def test_without_a_default_rule_what_matches_none_is_told_so(scene: Scene) -> None:
    await serve(scene, "gold", rules=[rule(["gold"], headers={"x-tier": "gold"})])
    assert await taken_by(scene, {"x-tier": "gold"}) == "gold"
    answer = await scene.client.chat("chat")
    assert answer.status == 404
    assert error_of(answer)["code"] == "no_matching_rule"


def assert_shares(answers: list[Answer], weights: Mapping[str, int]) -> None:
    """Each share is within five standard deviations of what was asked for: one miss in two million runs."""
    counts = Counter(map(target, answers))
    total = sum(weights.values())
    for name, weight in weights.items():
        share = weight / total
        deviation = math.sqrt(len(answers) * share * (1 - share))
        assert abs(counts[name] - len(answers) * share) <= 5 * deviation, (counts, weights)
    assert set(counts) <= {name for name, weight in weights.items() if weight}


@pytest.mark.parametrize(
    "weights", [{"a": 90, "b": 10}, {"a": 1, "b": 1, "c": 1}, {"a": 3, "b": 0, "c": 1}, {"a": 0, "b": 7}]
)
async def test_weights_share_requests_out(scene: Scene, weights: dict[str, int]) -> None:
    await serve(scene, *weights, rules=[rule(weights)])
    answers = [*await in_parallel(300, lambda _: scene.client.chat("chat"))]
    answers += await in_parallel(300, lambda _: scene.client.stream_chat("chat"))
    assert all(answer.ok for answer in answers)
    assert_shares(answers, weights)


async def test_a_route_may_have_many_names_and_each_is_its_own_model(scene: Scene) -> None:
    engine = await scene.engine("any")
    names = ["chat", "team-a/chat:v1.2", "Org/Model_X"]
    await scene.serve(
        deployment("own"), route("chat", ["own"], models=names), endpoints={"own": [engine.port]}
    )
    for name in names:
        assert (await scene.client.chat(name)).ok, name
    for name in ("CHAT", "chat:v1.2", "team-a", "chat/", "team-a/chat:v1"):
        assert (await scene.client.chat(name)).status == 404, name


async def test_a_model_among_thousands_costs_no_more(scene: Scene) -> None:
    """Found by its hash: the last of 1,000 names takes about as long as the only one."""
    engine = await scene.engine("any")
    names = [f"m-{index:04}" for index in range(1000)]
    routes = [route(name, ["own"]) for name in names]

    async def least_seconds(model: str) -> float:
        """What else the machine does makes others longer."""
        answers = [await scene.client.chat(model) for _ in range(201)]
        assert all(answer.ok for answer in answers)
        return min(answer.seconds for answer in answers)

    await scene.serve(deployment("own"), routes[-1], endpoints={"own": [engine.port]})
    alone = await least_seconds(names[-1])
    await scene.serve(deployment("own"), *routes, endpoints={"own": [engine.port]})
    among = [await least_seconds(name) for name in (names[0], names[-1])]
    assert max(among) < 2 * alone + 0.001, (alone, among)
