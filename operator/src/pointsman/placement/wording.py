"""Numbers as people say them, the same on every run."""

import difflib
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal

from pointsman.placement.demand import Bound, Demand


def gigabytes(count: float) -> str:
    """`253 MB`, `4.9 GB`, `33 GB`."""
    if count < 1e9:
        return f"{count / 1e6:.0f} MB"
    return f"{count / 1e9:.1f} GB" if count < 10e9 else f"{count / 1e9:.0f} GB"


def apart(more: float, less: float) -> tuple[str, str]:
    """Two amounts of memory with as many digits as it takes to see which is more."""
    first, second = gigabytes(more), gigabytes(less)
    return (first, second) if first != second else (f"{more / 1e9:.2f} GB", f"{less / 1e9:.2f} GB")


def tokens(count: int) -> str:
    """`900`, `4k`, `128k`: thousands are cut, as contexts come in powers of two."""
    return str(count) if count < 1000 else f"{count // 1000 if count % 1024 else count // 1024}k"


def seconds(duration: float) -> str:
    """`71 ms`, `1.2 s`, `1,200 s`."""
    if duration < 1:
        return f"{duration * 1e3:.3g} ms"
    return f"{duration:.3g} s" if duration < 1000 else f"{duration:,.0f} s"


def estimate(duration: float) -> str:
    """A predicted duration, which has two digits and no more."""
    return seconds(significant(duration))


def beyond(duration: float, bound: float) -> str:
    """An estimate that is above its bound, with as many digits as it takes to see that."""
    for digits in (2, 3, 4):
        text = seconds(float(f"{duration:.{digits}g}"))
        if text != seconds(bound):
            return text
    return f"just above {seconds(bound)}"


def rate(requests_per_second: float) -> str:
    return f"{significant(requests_per_second):g} requests/s"


def significant(number: float) -> float:
    """Two digits: an estimate has no others."""
    return float(f"{number:.2g}")


def money(amount: Decimal | float, currency: str) -> str:
    """`4.44 USD`; below a cent with two digits that count."""
    step = Decimal("0.01")
    amount = amount if isinstance(amount, Decimal) else Decimal(f"{amount:.9f}")
    if amount and amount < step:
        return f"{float(f'{amount:.2g}'):g} {currency}"
    return f"{amount.quantize(step, ROUND_HALF_UP):,} {currency}"


def devices(count: int, name: str) -> str:
    return f"{count} × {name}"


def bounds(demand: Demand) -> str:
    return " and ".join(bound_text(bound) for bound in demand.bounds) or "any latency"


def bound_text(bound: Bound) -> str:
    return f"{bound.name} ≤ {seconds(bound.seconds)}"


def listed(words: Iterable[str], last: str = "or") -> str:
    """`a`, `a or b`, `a, b or c`."""
    found: Sequence[str] = list(words)
    if len(found) < 2:
        return "".join(found)
    return f"{', '.join(found[:-1])} {last} {found[-1]}"


_SHOWN_NAMES = 5


def instead_of(wanted: str, names: Sequence[str]) -> str:
    """What to write instead of a name that is not there: the one that is meant, or some of those that are."""
    close = difflib.get_close_matches(wanted, names, 1)
    if close:
        return f'did you mean "{close[0]}"?'
    shown = names[:_SHOWN_NAMES]
    return f"use {listed(shown)}" + (", or another of the fleet" if len(names) > len(shown) else "")
