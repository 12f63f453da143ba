"""Envoy's Prometheus page -> ours: our names, seconds for milliseconds, failures by class. Pure text."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_SAMPLE = re.compile(r"^(\w+)\{(.*)\} (\S+)$")
# Possessive, and from the beginning of a name alone: a page takes time in its length, not in its square.
_LABEL = re.compile(r'\b(\w++)="((?:[^"\\]++|\\.)*+)"')
_OURS = "envoy_pointsman_"
_NAMESPACE = "pointsman_gateway_"
_NONE = "-"  # Envoy's word for a value that is not there.


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of a page."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Family:
    """A metric of our page and what it means."""

    name: str
    kind: str
    help: str


_HISTOGRAMS = {
    "first_token": Family(
        "first_token_seconds", "histogram", "From a request's arrival to its answer's first byte."
    ),
    "generation": Family("generation_seconds", "histogram", "From an answer's first byte to its last."),
    "duration": Family(
        "request_duration_seconds", "histogram", "From a request's arrival to its answer's end."
    ),
}
_COUNTERS = {
    "requests": Family("requests_total", "counter", "Requests by what clients were answered."),
    "attempts": Family(
        "attempts_total", "counter", "Attempts at targets by how they ended; a request may take several."
    ),
    "prompt_tokens": Family("prompt_tokens_total", "counter", "Tokens of prompts, as targets counted them."),
    "cached_tokens": Family(
        "cached_prompt_tokens_total", "counter", "Tokens of prompts that a target had in its cache."
    ),
    "completion_tokens": Family(
        "completion_tokens_total", "counter", "Tokens of answers, as targets counted them."
    ),
}
_GAUGES = {
    "envoy_cluster_upstream_rq_active": Family(
        "active_requests", "gauge", "Requests that a target works on now."
    ),
    "envoy_cluster_outlier_detection_ejections_active": Family(
        "resting_replicas", "gauge", "Replicas of a target that are left alone after failures."
    ),
}
HELD = Family("held_requests", "gauge", "Requests that wait for the first replica of a target at zero.")
COST = Family("cost_total", "counter", "What hosted models asked for the tokens, in the fleet's currency.")


def series_names() -> frozenset[str]:
    """The series that say what targets do, for whoever asks a Prometheus for them."""
    plain = {family.name for family in (*_COUNTERS.values(), *_GAUGES.values())}
    parts = {
        f"{family.name}_{part}" for family in _HISTOGRAMS.values() for part in ("bucket", "sum", "count")
    }
    return frozenset(f"{_NAMESPACE}{name}" for name in plain | parts | {HELD.name})


# Envoy's response flags, in the words of a route's `fallback.when`.
_CLASS_BY_FLAG = (
    ({"UF", "UC", "UR", "LR", "URX"}, "connect_failure"),
    ({"UT"}, "timeout"),
    ({"UO"}, "overflow"),
    ({"UH", "NC"}, "no_capacity"),
    ({"DC", "DR"}, "client_gone"),
)
_CLASS_BY_VERDICT = {
    "contextOverflow": "context_overflow",
    "refusal": "refusal",
    "noCapacity": "no_capacity",
    "held": "held",
}


def attempt_class(code: str, flags: str, verdict: str) -> str:
    """How an attempt ended: ok, a failure class, or rejected: the target calls the request wrong."""
    if verdict in _CLASS_BY_VERDICT:
        return _CLASS_BY_VERDICT[verdict]
    seen = set(flags.split(","))
    for known, name in _CLASS_BY_FLAG:
        if seen & known:
            return name
    if code.startswith("2"):
        return "ok"
    if code == "429":
        return "rate_limited"
    return "rejected" if code.startswith("4") else "server_error"


def samples(page: str) -> Iterator[Sample]:
    """The samples of an Envoy page that have labels; comments and the rest are passed over."""
    for line in page.splitlines():
        found = _SAMPLE.match(line)
        if found is not None:
            yield Sample(found[1], dict(_LABEL.findall(found[2])), float(found[3]))


def renamed(page: str) -> list[tuple[Family, list[Sample]]]:
    """Our families with their samples, in a stable order. Equal label sets are summed."""
    made: dict[Family, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for sample in samples(page):
        ours = _ours(sample)
        if ours is not None:
            family, name, labels = ours
            sums = made.setdefault(family, {})
            identity = (name, tuple(labels.items()))
            sums[identity] = sums.get(identity, 0.0) + sample.value
    return [
        (family, [Sample(name, dict(labels), value) for (name, labels), value in sums.items()])
        for family, sums in sorted(made.items(), key=lambda item: item[0].name)
    ]


def _ours(sample: Sample) -> tuple[Family, str, dict[str, str]] | None:
    if sample.name in _GAUGES:
        family = _GAUGES[sample.name]
        target = sample.labels.get("envoy_cluster_name", "")
        return (family, family.name, {"target": target}) if "/" in target else None
    if not sample.name.startswith(_OURS):
        return None
    name = sample.name.removeprefix(_OURS)
    if name in _COUNTERS:
        family = _COUNTERS[name]
        return family, family.name, _labels(sample.labels)
    for stem, family in _HISTOGRAMS.items():
        part = name.removeprefix(stem)
        if part in ("_bucket", "_sum", "_count"):
            labels = _labels(sample.labels)
            if part == "_bucket" and labels["le"] != "+Inf":
                labels["le"] = f"{float(labels['le']) / 1000:g}"
            return family, family.name + part, labels
    return None


def _labels(given: Mapping[str, str]) -> dict[str, str]:
    labels = {key: "" if value == _NONE else value for key, value in given.items()}
    route, _, rule = labels.pop("route", "").partition("#")
    if "target" in labels:
        labels |= _who(labels["target"])
    verdict = labels.pop("verdict", None)
    flags = labels.pop("flags", "")
    if verdict is not None:
        labels["class"] = attempt_class(labels.get("code", ""), flags, verdict)
    if "stream" in labels:
        labels["stream"] = labels["stream"] or "false"
    return {"route": route, "rule": rule, **labels}


def _who(cluster: str) -> dict[str, str]:
    """`namespace/deployment[/adapter]~use`: which use of a target it is says the rule already."""
    namespace, _, target = cluster.partition("~")[0].partition("/")
    deployment, _, adapter = target.partition("/")
    named = f"{namespace}/{deployment}" if deployment else namespace
    return {"target": named, "adapter": adapter} if adapter else {"target": named}


def in_seconds(sample: Sample) -> Sample:
    """Sums of our histograms are milliseconds in Envoy."""
    if sample.name.endswith("_seconds_sum"):
        return Sample(sample.name, sample.labels, sample.value / 1000)
    return sample


def page(families: Iterable[tuple[Family, list[Sample]]]) -> str:
    """The text that Prometheus reads."""
    lines: list[str] = []
    for family, found in families:
        lines.append(f"# HELP {_NAMESPACE}{family.name} {family.help}")
        lines.append(f"# TYPE {_NAMESPACE}{family.name} {family.kind}")
        for sample in map(in_seconds, found):
            labels = ",".join(f'{key}="{value}"' for key, value in sample.labels.items())
            lines.append(f"{_NAMESPACE}{sample.name}{{{labels}}} {sample.value:.15g}")
    return "\n".join(lines) + "\n"
