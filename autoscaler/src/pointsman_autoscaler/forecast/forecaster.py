"""Load ahead, from what was seen: an ensemble of simple experts, listened to by how they did lately."""

from collections import deque

from pointsman_autoscaler.forecast.bins import MINUTE_SECONDS, Bin
from pointsman_autoscaler.forecast.distribution import Forecast
from pointsman_autoscaler.forecast.experts import Levels
from pointsman_autoscaler.forecast.season import Season
from pointsman_autoscaler.forecast.track import Track, scale_of

# Horizons that are learned at the same time; flavours that start about as fast share one.
_TRACKS = 3
_LONGEST_MINUTES = 60
# After a gap of so long, levels and trends begin anew.
_GAP_MINUTES = 10
# A clock that goes back further than this was set; less is jitter between sources.
_JITTER_SECONDS = 60.0
# What a fresh forecaster takes the noise of a minute's mean to be: that of independent arrivals.
_POISSON_NOISE = 1 / MINUTE_SECONDS
_NOISE_MEMORY = 0.98


class Forecaster:
    """Feed it with `observe` as data comes; ask it with `forecast` at any time. About 100 kB when full."""

    def __init__(self) -> None:
        self._season = Season()
        self._filling = Bin(-1)
        self._recent: deque[tuple[float, float, float]] = deque(maxlen=64)
        self._levels: Levels | None = None
        self._noise = _POISSON_NOISE
        self._tracks: dict[int, Track] = {}
        self._minute = -1
        self._now = 0.0

    def observe(self, at_seconds: float, requests_per_second: float | None, seconds: float = 15.0) -> None:
        """The rate over so many seconds up to `at_seconds`; None where it was not seen.

        Looks are not evenly apart: one request in the second before a look is no flood.
        """
        if at_seconds < self._now - _JITTER_SECONDS:
            self._begin_anew()
        self._now = max(self._now, at_seconds)
        minute = int(at_seconds // MINUTE_SECONDS)
        if minute != self._filling.index:
            self._close()
            self._filling = Bin(minute)
        if requests_per_second is None:
            return
        rate = max(0.0, requests_per_second)
        self._filling.add(rate, seconds)
        self._recent.append((at_seconds, rate, seconds))
        self._season.add(at_seconds, rate, seconds)

    def forecast(self, horizon_seconds: float) -> Forecast:
        """The mean rate of the five minutes that begin after `horizon_seconds`."""
        track = self._track(horizon_seconds)
        levels = self._levels_now()
        if levels is None:
            return Forecast(0.0, {0.5: 0.0}, horizon_seconds=horizon_seconds)
        mean = track.mean(levels, self._now, self._season)
        return Forecast(mean, track.quantiles(mean, self._noise), track.weights(), horizon_seconds)

    def last(self) -> Forecast:
        """As if nothing were foreseen: the load of now, and the spread of a minute's noise."""
        levels = self._levels_now()
        mean = levels.last if levels is not None else 0.0
        spread = scale_of(mean, self._noise)
        return Forecast(mean, {0.05: max(0.0, mean - 1.645 * spread), 0.5: mean, 0.95: mean + 1.645 * spread})

    def busy_share(self, at_seconds: float) -> float | None:
        """The share of former days that had load at this time; None while fewer than three are known."""
        return self._season.busy_share(at_seconds)

    def _levels_now(self) -> Levels | None:
        """The levels, with what was seen since the last whole minute as the newest."""
        fresh = []
        for at, rate, seconds in reversed(self._recent):
            if at <= self._now - MINUTE_SECONDS - _JITTER_SECONDS:
                break
            if at > self._now - MINUTE_SECONDS:
                fresh.append((rate, seconds))
        if not fresh:
            return self._levels
        fresh.reverse()
        last = sum(rate * seconds for rate, seconds in fresh) / sum(seconds for _, seconds in fresh)
        known = self._levels
        if known is None:
            return Levels.starting(last)
        return Levels(last, known.fast, known.slow, known.level, known.trend)

    def _close(self) -> None:
        """A minute is over."""
        minute, mean = self._filling.index, self._filling.mean
        if minute < 0:
            return
        if mean is None:
            return
        if self._levels is None or minute - self._minute > _GAP_MINUTES:
            self._levels = Levels.starting(mean)
        else:
            self._learn_noise(mean, self._levels.last)
            self._levels = self._levels.after(mean)
        self._minute = minute
        ended = (minute + 1) * MINUTE_SECONDS
        for track in self._tracks.values():
            track.settle(minute, mean, self._noise)
            track.say(minute, self._levels, ended, self._season)

    def _learn_noise(self, mean: float, before: float) -> None:
        """Half the squared difference of neighbours is the variance that no trend explains (von Neumann)."""
        middle = (mean + before) / 2
        if mean > 0 and before > 0:
            seen = (mean - before) ** 2 / 2 / middle
            # One step of the load must not count as noise for an hour.
            seen = min(seen, 10 * self._noise)
            self._noise = max(_NOISE_MEMORY * self._noise + (1 - _NOISE_MEMORY) * seen, 1e-6)

    def _track(self, horizon_seconds: float) -> Track:
        minutes = min(max(1, round(horizon_seconds / MINUTE_SECONDS)), _LONGEST_MINUTES)
        track = self._tracks.pop(minutes, None)
        if track is None:
            if len(self._tracks) >= _TRACKS:
                del self._tracks[next(iter(self._tracks))]
            track = Track(minutes)
        self._tracks[minutes] = track  # the one asked for last is dropped last
        return track

    def _begin_anew(self) -> None:
        """The clock was set back: what the hours were is no longer known, how much load there is still is."""
        self._season.forget()
        self._filling = Bin(-1)
        self._recent.clear()
        self._minute = -1
        self._now = 0.0
        self._tracks = {minutes: Track(minutes) for minutes in self._tracks}
