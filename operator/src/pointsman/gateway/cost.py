"""What hosted models cost: tokens as they were counted, times the price that held then."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from pointsman.api import ModelDeployment, ObjectKey, Price
from pointsman.gateway.exposition import Sample

_MILLION = Decimal(1_000_000)
_KINDS = ("prompt_tokens_total", "cached_prompt_tokens_total", "completion_tokens_total")

_Who = tuple[tuple[str, str], ...]


class CostMeter:
    """Adds up money as token counts grow. A changed price holds for what is counted after it alone."""

    def __init__(self) -> None:
        self._starts = 0
        self._counted: dict[tuple[_Who, str], float] = {}
        self._prices: dict[str, Price] = {}
        self._spent: dict[_Who, Decimal] = {}

    def observe(
        self, found: Iterable[Sample], deployments: Mapping[ObjectKey, ModelDeployment], *, starts: int = 0
    ) -> None:
        """Take the token counters as they stand now, each look later than the last.

        `starts` tells one Envoy from the next, whose counters begin at zero; so does one that fell.
        """
        if starts != self._starts:
            self._starts = starts
            self._counted.clear()
        self._learn_prices(deployments)
        grown: dict[_Who, dict[str, Decimal]] = {}
        for sample in found:
            if sample.name not in _KINDS:
                continue
            who = tuple(sample.labels.items())
            before = self._counted.get((who, sample.name), 0.0)
            self._counted[who, sample.name] = sample.value
            by = sample.value - before if sample.value >= before else sample.value
            grown.setdefault(who, {})[sample.name] = Decimal(str(by))
        for who, tokens in grown.items():
            price = self._prices.get(dict(who).get("target", ""))
            if price is not None:
                self._spent[who] = self._spent.get(who, Decimal(0)) + _cost(price, tokens)

    def spent(self) -> list[Sample]:
        """The money so far, by route, target and client."""
        return [Sample("cost_total", dict(who), float(amount)) for who, amount in sorted(self._spent.items())]

    def _learn_prices(self, deployments: Mapping[ObjectKey, ModelDeployment]) -> None:
        """The prices now. Of one that went the last is kept: its last answers may still be counted."""
        for key, deployment in deployments.items():
            price = None if deployment.spec.hosted is None else deployment.spec.hosted.price
            if price is not None:
                self._prices[str(key)] = price
            else:
                self._prices.pop(str(key), None)


def _cost(price: Price, tokens: Mapping[str, Decimal]) -> Decimal:
    prompt, cached, completion = (tokens.get(kind, Decimal(0)) for kind in _KINDS)
    # A provider counts cached tokens among those of the prompt, at a price of their own.
    cached = min(cached, prompt)
    cached_price = price.cached_input_per_million_tokens or price.input_per_million_tokens
    return (
        (prompt - cached) * price.input_per_million_tokens.decimal
        + cached * cached_price.decimal
        + completion * price.output_per_million_tokens.decimal
    ) / _MILLION
