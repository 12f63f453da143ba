"""Plots as SVG text, drawn in the page's own colours, so that they follow its light and dark dress."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 860, 56, 12, 22, 26
_POINTS = 700
"""More than that cannot be told apart in this width."""


@dataclass(frozen=True, slots=True)
class Series:
    """Values at the plot's times. `colour` counts the page's colours and dashes from 0."""

    name: str
    values: Floats
    colour: int


@dataclass(frozen=True, slots=True)
class Point:
    """One outcome of a policy; those of one name are joined in the order of their x."""

    name: str
    setting: str
    x: float
    y: float
    colour: int
    is_default: bool = False


def lines(
    said: str,
    hours: Floats,
    series: Sequence[Series],
    unit: str,
    height: int = 190,
    most: float = 0.0,
    shows: np.ufunc = np.fmax,
) -> str:
    """Curves over time; `said` is read to those who do not see them. The axis begins at zero and reaches
    `most`, or the largest value. `shows` is what is drawn of values that lie too near to each other.
    """
    top = max([most, *(float(np.nanmax(one.values, initial=0.0)) for one in series)])
    frame = _Frame(float(hours[0]), float(hours[-1]), 0.0, top or 1.0, height)
    drawn = [_curve(frame, hours, one, shows) for one in series]
    return _svg(said, frame, [*_axes(frame, unit, _hour_ticks(hours), _hour_name), *drawn])


def stacked(
    said: str, hours: Floats, series: Sequence[Series], unit: str, height: int = 130, most: float = 0.0
) -> str:
    """Areas of whole numbers upon each other."""
    total = np.sum([one.values for one in series], axis=0) if series else np.zeros_like(hours)
    top = max(most, float(total.max(initial=0.0))) or 1.0
    frame = _Frame(float(hours[0]), float(hours[-1]), 0.0, top, height)
    below = np.zeros_like(total)
    drawn = []
    for one in series:
        drawn.append(_area(frame, hours, below, below + one.values, one))
        below = below + one.values
    axes = _axes(frame, unit, _hour_ticks(hours), _hour_name, least_step=1.0)
    return _svg(said, frame, [*axes, *drawn])


def scatter(
    said: str, points: Sequence[Point], x_unit: str, y_unit: str, promised: float, height: int = 340
) -> str:
    """Outcomes, below a line at what is promised; the filled one of each name is what it does by default."""
    xs, ys = [one.x for one in points], [one.y for one in points]
    frame = _Frame(min(xs) * 0.96, max(xs) * 1.04, max(0.0, min(ys) - 2.0), 100.0, height)
    best = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in _front(points))
    drawn = [f'<polyline class="front" points="{best}"/>']
    if frame.bottom <= promised <= frame.top:
        y = frame.y(promised)
        drawn.append(
            f'<line class="promised" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
    for name in dict.fromkeys(one.name for one in points):
        own = sorted((one for one in points if one.name == name), key=lambda one: one.x)
        path = " ".join(f"{frame.x(one.x):.1f},{frame.y(one.y):.1f}" for one in own)
        drawn.append(f'<polyline class="c{own[0].colour} thin" points="{path}"/>')
        # What is filled lies on top of what is as good.
        for one in sorted(own, key=lambda one: one.is_default):
            kind = "dot" if one.is_default else "ring"
            text = f"{one.setting}: {one.x:,.2f} {x_unit}, {one.y:.2f} {y_unit}"
            place = f'cx="{frame.x(one.x):.1f}" cy="{frame.y(one.y):.1f}" r="4"'
            drawn.append(
                f'<circle class="c{one.colour} {kind}" {place}><title>{escape(text)}</title></circle>'
            )
    ticks = _ticks(frame.left, frame.right)
    axes = _axes(frame, y_unit, ticks, lambda value: f"{value:,.4g}", x_unit=x_unit)
    return _svg(said, frame, [*axes, *drawn])


def _front(points: Sequence[Point]) -> list[tuple[float, float]]:
    """Those that none is better than in both, with the corners between them."""
    found: list[tuple[float, float]] = []
    for one in sorted(points, key=lambda one: (one.x, -one.y)):
        if not found:
            found.append((one.x, one.y))
        elif one.y > found[-1][1]:
            found += [(one.x, found[-1][1]), (one.x, one.y)]
    return found


@dataclass(frozen=True, slots=True)
class _Frame:
    left: float
    right: float
    bottom: float
    top: float
    height: int

    def x(self, value: float) -> float:
        span = (self.right - self.left) or 1.0
        return _LEFT + (value - self.left) / span * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        span = (self.top - self.bottom) or 1.0
        return self.height - _BOTTOM - (value - self.bottom) / span * (self.height - _TOP - _BOTTOM)


def _svg(said: str, frame: _Frame, parts: Sequence[str]) -> str:
    box = f'viewBox="0 0 {_WIDTH} {frame.height}"'
    return f'<svg {box} role="img" aria-label="{escape(said)}">{"".join(parts)}</svg>'


def _axes(
    frame: _Frame,
    unit: str,
    ticks: Sequence[float],
    named: Callable[[float], str],
    x_unit: str = "",
    least_step: float = 0.0,
) -> list[str]:
    parts = []
    for value in _ticks(frame.bottom, frame.top, 4, least_step):
        y = frame.y(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="end" x="{_LEFT - 6}" y="{y + 3.5:.1f}">{value:,.4g}</text>')
    for value in ticks:
        x = frame.x(value)
        parts.append(f'<text class="middle" x="{x:.1f}" y="{frame.height - 8}">{named(value)}</text>')
    parts.append(f'<text x="{_LEFT}" y="11" class="unit">{escape(unit)}</text>')
    if x_unit:
        place = f'x="{_WIDTH - _RIGHT}" y="{frame.height - _BOTTOM - 5}"'
        parts.append(f'<text {place} class="unit end">{escape(x_unit)}</text>')
    return parts


def _curve(frame: _Frame, hours: Floats, one: Series, shows: np.ufunc) -> str:
    at, values = _reduced(hours, one.values, shows)
    runs: list[list[str]] = [[]]
    for hour, value in zip(at, values, strict=True):
        if math.isnan(value):
            runs.append([])
        else:
            runs[-1].append(f"{frame.x(hour):.1f},{frame.y(value):.1f}")
    return "".join(
        f'<polyline class="c{one.colour}" points="{" ".join(run)}"/>' for run in runs if len(run) > 1
    )


def _area(frame: _Frame, hours: Floats, low: Floats, high: Floats, one: Series) -> str:
    at, upper = _reduced(hours, high)
    lower = _reduced(hours, low)[1]
    there = [f"{frame.x(hour):.1f},{frame.y(value):.1f}" for hour, value in zip(at, upper, strict=True)]
    back = [f"{frame.x(hour):.1f},{frame.y(value):.1f}" for hour, value in zip(at, lower, strict=True)]
    return f'<polygon class="f{one.colour}" points="{" ".join(there + back[::-1])}"/>'


def _reduced(hours: Floats, values: Floats, shows: np.ufunc = np.fmax) -> tuple[Floats, Floats]:
    """The largest value of each piece, or the smallest one, where there are more than can be drawn."""
    piece = -(-len(values) // _POINTS)
    if piece <= 1:
        return hours, values
    starts = np.arange(0, len(values), piece)
    return hours[starts], shows.reduceat(values, starts)


def _ticks(low: float, high: float, about: int = 6, least_step: float = 0.0) -> list[float]:
    """Round numbers between two values."""
    span = high - low
    if span <= 0:
        return [low]
    rough = max(span / about, least_step)
    size = 10.0 ** math.floor(math.log10(rough))
    factors = (1, 2, 5, 10) if least_step else (1, 2, 2.5, 5, 10)
    step = next(size * factor for factor in factors if size * factor >= rough)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _hour_ticks(hours: Floats) -> list[float]:
    span = float(hours[-1] - hours[0])
    if span > 36:
        return [float(day * 24) for day in range(math.ceil(hours[0] / 24), math.floor(hours[-1] / 24) + 1)]
    if span > 4:
        step = 1 if span <= 8 else 3
        return [float(hour) for hour in range(0, math.floor(hours[-1]) + 1, step)]
    if span > 2:
        return _ticks(float(hours[0]), float(hours[-1]), 8)
    minutes = 15 if span > 1 else 5 if span > 0.25 else 1
    return [minute / 60 for minute in range(0, round(hours[-1] * 60) + 1, minutes)]


def _hour_name(hour: float) -> str:
    if hour >= 24 and hour % 24 == 0:
        return f"day {hour / 24:.0f}"
    return f"{hour:g} h" if hour == 0 or (hour % 0.25 == 0 and hour >= 1) else f"{hour * 60:.0f} min"
