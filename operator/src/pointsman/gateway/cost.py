"""What hosted models cost: tokens as they were counted, times the price that held then."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from pointsman.api import ModelDeployment, ObjectKey, Price
from pointsman.gateway.exposition import Sample

_MILLION = Decimal(1_000_000)
_KINDS = ("prompt_tokens_total", "cached_prompt_tokens_total", "completion_tokens_total")

_Who = tuple[tuple[str, str], ...]


class CostMeter:
    """Adds up money as token counts grow. A changed price holds for the tokens after it alone."""

    def __init__(self) -> None:
        self._counted: dict[tuple[_Who, str], float] = {}
        self._spent: dict[_Who, Decimal] = {}

    def observe(self, found: Iterable[Sample], deployments: Mapping[ObjectKey, ModelDeployment]) -> None:
        """Take the token counters as they stand now; a counter that fell began again at zero."""
        prices = {
            str(key): d.spec.hosted.price for key, d in deployments.items() if d.spec.hosted is not None
        }
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
            price = prices.get(dict(who).get("target", ""))
            if price is not None:
                self._spent[who] = self._spent.get(who, Decimal(0)) + _cost(price, tokens)

    def spent(self) -> list[Sample]:
        """The money so far, by route, target and client."""
        return [Sample("cost_total", dict(who), float(amount)) for who, amount in sorted(self._spent.items())]


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
