"""What the API can say and this version cannot do yet: such a field is refused, never ignored.

A table, one row a gap. In mode "any" only what no way of running can do is said.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pointsman.api.findings import Finding, Severity
from pointsman.api.located import Located, Stated
from pointsman.api.nodes import Path
from pointsman.api.record import Record
from pointsman.api.scaling import Scaling, ScalingMode

Mode = Literal["any", "local", "cluster"]
"""Where the objects will run: as processes on one machine, in a cluster, or not said."""

_BOTH: tuple[Mode, ...] = ("local", "cluster")
_LOCAL: tuple[Mode, ...] = ("local",)
_CLUSTER: tuple[Mode, ...] = ("cluster",)

_LATER = "is not supported yet"
_NO_CLUSTER = "is not supported in local mode, which runs engines as processes on this machine"

_FOR_CLUSTERS = "is for pods of a cluster"
_NO_MEANING = "it changes nothing in local mode"


@dataclass(frozen=True)
class _Gap:
    """A field (dotted, [] for each item of a list) that cannot be acted upon, unless its value fits."""

    kind: str
    field: str
    modes: tuple[Mode, ...]
    what: str = _LATER
    todo: str = "remove it"
    fits: Callable[[Any], bool] = lambda value: value in ("", ())
    severity: Severity = "error"


def _one_of(*values: object) -> Callable[[Any], bool]:
    return lambda value: value in values


def _from(*schemes: str) -> Callable[[Any], bool]:
    return lambda source: str(source).startswith(tuple(f"{scheme}://" for scheme in schemes))


def _costs_nothing(scaling: Scaling) -> bool:
    return scaling.mode is ScalingMode.OFF or scaling.budget is None


_GAPS = (
    _Gap("ModelRoute", "spec.canary", _BOTH),
    _Gap("ModelRoute", "spec.limits", _BOTH),
    _Gap("ModelRoute", "spec.archive", _BOTH),
    _Gap("ModelRoute", "spec.authentication.jwt", _BOTH, todo="use apiKeys, or anonymous: true"),
    _Gap(
        "ModelRoute",
        "spec.rules[].targets[].namespace",
        _BOTH,
        todo="name a deployment of the same namespace",
    ),
    _Gap(
        "ModelRoute",
        "spec.rules[].fallback.targets[].namespace",
        _BOTH,
        todo="name a deployment of the same namespace",
    ),
    _Gap(
        "ModelDeployment",
        "spec.scaling",
        _LOCAL,
        what="has a budget, which is not supported in local mode: replicas on this machine have no price",
        todo="remove budget",
        fits=_costs_nothing,
    ),
    _Gap("ModelDeployment", "spec.allowedRoutes.namespaces", _BOTH, todo="write Same", fits=_one_of("Same")),
    _Gap(
        "ModelDeployment",
        "spec.hosted.limits",
        _BOTH,
        what="is not applied yet: requests above it reach the provider, which refuses them",
        todo="add a fallback for rateLimited",
        severity="warning",
    ),
    _Gap("ModelDeployment", "spec.hardware", _LOCAL, what=_NO_CLUSTER),
    _Gap("ModelDeployment", "spec.template", _LOCAL, what=_NO_CLUSTER),
    _Gap("ModelDeployment", "spec.refresh", _LOCAL, what=_NO_CLUSTER),
    _Gap(
        "ModelDeployment",
        "spec.engine.name",
        _LOCAL,
        what="is not supported in local mode, which runs the llama.cpp server",
        todo="write llama.cpp",
        fits=_one_of("llama.cpp"),
    ),
    _Gap("ModelDeployment", "spec.engine.image", _LOCAL, what=_NO_CLUSTER),
    _Gap(
        "ModelDeployment",
        "spec.engine.version",
        _LOCAL,
        what="is not supported in local mode, which runs the version that is installed",
    ),
    _Gap(
        "ModelDeployment",
        "spec.model.source",
        _LOCAL,
        what="is not a source that local mode can read",
        todo="use hf://, file:// or package://",
        fits=_from("hf", "file", "package"),
    ),
    _Gap(
        "ModelDeployment",
        "spec.model.source",
        _CLUSTER,
        what="is a source of this machine, which a cluster does not have",
        todo="use hf://, s3://, gs://, az://, oci://, pvc://, https:// or package://",
        fits=_from("hf", "s3", "gs", "az", "oci", "pvc", "https", "package"),
    ),
    _Gap("ModelDeployment", "spec.model.adapters", _LOCAL, what="is not supported in local mode yet"),
    _Gap(
        "ModelDeployment",
        "spec.model.quantization",
        _LOCAL,
        what="is not supported in local mode: llama.cpp serves what the GGUF file holds",
        todo="write gguf or remove it",
        fits=_one_of("gguf"),
    ),
    _Gap("FleetSettings", "egress", _LOCAL, what=_FOR_CLUSTERS, todo=_NO_MEANING, severity="warning"),
    _Gap("FleetSettings", "weights", _LOCAL, what=_FOR_CLUSTERS, todo=_NO_MEANING, severity="warning"),
    _Gap("FleetSettings", "guardrails", _LOCAL, what=_FOR_CLUSTERS, todo=_NO_MEANING, severity="warning"),
    _Gap("FleetSettings", "evidence", _LOCAL, what=_FOR_CLUSTERS, todo=_NO_MEANING, severity="warning"),
    _Gap(
        "FleetSettings",
        "policies",
        _LOCAL,
        what=_FOR_CLUSTERS,
        todo=_NO_MEANING,
        fits=lambda policies: not policies,
        severity="warning",
    ),
    _Gap("GuardrailPolicy", "spec.runtime", _BOTH),
)


def unsupported(located: Located[Stated], mode: Mode = "any") -> list[Finding]:
    """What of an object this version cannot do in this mode; in mode "any", what it can do in none."""
    if mode != "any":
        return _unsupported(located, mode)
    locally = {finding.path: finding for finding in _unsupported(located, "local")}
    both = [(locally[f.path], f) for f in _unsupported(located, "cluster") if f.path in locally]
    return [in_cluster if local.is_error else local for local, in_cluster in both]


def _unsupported(located: Located[Stated], mode: Mode) -> list[Finding]:
    return [
        located.finding(path, gap.what, gap.todo, severity=gap.severity)
        for gap in _gaps_of(type(located.resource).__name__)
        if mode in gap.modes
        for path, value in _values(located.resource, _steps(gap.field), ())
        if not gap.fits(value)
    ]


@cache
def _gaps_of(kind: str) -> tuple[_Gap, ...]:
    return tuple(gap for gap in _GAPS if gap.kind == kind)


@cache
def _steps(field: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+|\[\]", field))


@cache
def _attributes(record: type[Record]) -> Mapping[str, str]:
    """YAML key -> attribute."""
    return {field.alias or name: name for name, field in record.model_fields.items()}


def _values(value: Any, steps: tuple[str, ...], path: Path) -> Iterator[tuple[Path, Any]]:
    """Every value at the dotted path that is not None, each with its own path."""
    if value is None:
        return
    if not steps:
        yield path, value
    elif steps[0] == "[]":
        for index, item in enumerate(value):
            yield from _values(item, steps[1:], (*path, index))
    else:
        record: type[Record] = type(value)
        yield from _values(getattr(value, _attributes(record)[steps[0]]), steps[1:], (*path, steps[0]))
