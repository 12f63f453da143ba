"""What hosted models cost: each token once, at the price that held when it was counted."""

import asyncio
from pathlib import Path

import pytest

from pointsman.api import ModelDeployment, ObjectKey
from pointsman.gateway import Gateway, GatewayPlaces, MetricsPage
from pointsman.gateway.admin import Admin
from pointsman.gateway.cost import CostMeter
from pointsman.gateway.exposition import Sample
from pointsman.routing import ProxySettings
from tests.support.builders import deployment, hosted, routing_input

PROMPT, CACHED, COMPLETION = "prompt_tokens_total", "cached_prompt_tokens_total", "completion_tokens_total"


def priced(*, prompt: str = "1", cached: str | None = None, completion: str = "10") -> ModelDeployment:
    more = {"hosted": {"price": {"cachedInputPerMillionTokens": cached}}} if cached is not None else None
    return hosted("far", "https://far.example/v1", price=(prompt, completion), spec=more)


def counted(target: str = "default/far", client: str = "", **tokens: float) -> list[Sample]:
    labels = {"route": "default/chat", "rule": "0", "target": target, "client": client}
    names = {"prompt": PROMPT, "cached": CACHED, "completion": COMPLETION}
    return [Sample(names[kind], labels, value) for kind, value in tokens.items()]


def of(*deployments: ModelDeployment) -> dict[ObjectKey, ModelDeployment]:
    return {one.key: one for one in deployments}


def total(meter: CostMeter) -> float:
    return sum(sample.value for sample in meter.spent())


MILLION = 1_000_000.0


def test_each_kind_of_token_has_its_price() -> None:
    meter = CostMeter()
    found = counted(prompt=3 * MILLION, cached=MILLION, completion=2 * MILLION)
    meter.observe(found, of(priced(prompt="1", cached="0.25", completion="10")))
    assert total(meter) == pytest.approx(2 * 1 + 1 * 0.25 + 2 * 10)


def test_cached_tokens_without_a_price_cost_what_others_do() -> None:
    meter = CostMeter()
    meter.observe(counted(prompt=3 * MILLION, cached=MILLION), of(priced(prompt="1")))
    assert total(meter) == pytest.approx(3)


def test_a_changed_price_holds_for_later_tokens_alone() -> None:
    meter = CostMeter()
    meter.observe(counted(completion=MILLION), of(priced(completion="10")))
    meter.observe(counted(completion=2 * MILLION), of(priced(completion="1")))
    assert total(meter) == pytest.approx(11)


def test_the_last_tokens_of_a_deployment_that_went_are_paid() -> None:
    meter = CostMeter()
    meter.observe(counted(completion=MILLION), of(priced(completion="10")))
    meter.observe(counted(completion=2 * MILLION), of())
    assert total(meter) == pytest.approx(20)


def test_a_deployment_that_is_no_longer_hosted_costs_nothing_more() -> None:
    meter = CostMeter()
    meter.observe(counted(completion=MILLION), of(priced(completion="10")))
    meter.observe(counted(completion=2 * MILLION), of(deployment("far")))
    assert total(meter) == pytest.approx(10)


def test_our_own_models_cost_nothing() -> None:
    meter = CostMeter()
    meter.observe(counted("default/own", completion=MILLION), of(deployment("own")))
    assert meter.spent() == []


@pytest.mark.parametrize("by_then", [0.5, 1.0, 1.5])
def test_an_envoy_that_was_started_again_counts_from_zero_however_far_it_is_by_then(by_then: float) -> None:
    meter = CostMeter()
    given = of(priced(completion="10"))
    meter.observe(counted(completion=MILLION), given, starts=0)
    meter.observe(counted(completion=by_then * MILLION), given, starts=1)
    assert total(meter) == pytest.approx(10 + by_then * 10)


def test_clients_are_told_apart() -> None:
    meter = CostMeter()
    found = [*counted(client="alice", completion=MILLION), *counted(client="bob", completion=2 * MILLION)]
    meter.observe(found, of(priced(completion="10")))
    assert {sample.labels["client"]: sample.value for sample in meter.spent()} == {"alice": 10, "bob": 20}


class SlowAdmin(Admin):
    """Answers each question when it is told to, with the tokens of the moment when it was asked."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"))
        self.tokens = 0.0
        self.asked: list[asyncio.Event] = []

    async def get(self, path: str, within_seconds: float = 10.0) -> str:
        labels = 'route="default/chat#0",target="default/far",client="-"'
        page = f"envoy_pointsman_completion_tokens{{{labels}}} {self.tokens}\n"
        self.asked.append(answer := asyncio.Event())
        await answer.wait()
        return page


async def test_two_who_ask_at_the_same_time_do_not_make_it_dearer(tmp_path: Path) -> None:
    gateway = Gateway(ProxySettings(), GatewayPlaces(tmp_path / "gateway", tmp_path / "log"))
    gateway.update(routing_input(priced(completion="10")))
    gateway.envoy.admin = admin = SlowAdmin()
    metrics = MetricsPage(gateway)

    async def answer_all() -> None:
        while True:
            for answer in reversed(admin.asked):
                answer.set()
                await asyncio.sleep(0)
            await asyncio.sleep(0)

    admin.tokens = MILLION
    first = asyncio.create_task(metrics.text())
    await asyncio.sleep(0)
    admin.tokens = 2 * MILLION
    second = asyncio.create_task(metrics.text())
    await asyncio.sleep(0)
    answering = asyncio.create_task(answer_all())
    pages = await asyncio.gather(first, second)
    answering.cancel()
    lines = [
        line for page in pages for line in page.splitlines() if line.startswith("pointsman_gateway_cost")
    ]
    assert max(float(line.rpartition(" ")[2]) for line in lines) == pytest.approx(20)
