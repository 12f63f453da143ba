"""A container's environment as a kubelet makes it. Pure: what is referred to is handed in."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

Json = Mapping[str, Any]

_REFERENCE = re.compile(r"\$(\$|\([A-Za-z_.-][A-Za-z0-9_.-]*\))")
_FACTORS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}
_FROM = {"configmap": "configMapRef", "secret": "secretRef"}
_KEY = {"configmap": "configMapKeyRef", "secret": "secretKeyRef"}
_QUANTITY = re.compile(r"([0-9.]+)([a-zA-Z]*)")


class MissingReference(Exception):
    """Something that the environment refers to is not there; its text is what a kubelet says."""


@dataclass(frozen=True)
class Sources:
    """ConfigMaps and Secrets of the pod's namespace by name, and what the node has for all its pods."""

    config_maps: Mapping[str, Json]
    secrets: Mapping[str, Json]
    allocatable: Mapping[str, str]

    def values(self, kind: str, name: str) -> Mapping[str, str] | None:
        """The data of a ConfigMap or a Secret as text; None where there is none."""
        found = (self.config_maps if kind == "configmap" else self.secrets).get(name)
        if found is None:
            return None
        data: Mapping[str, str] = found.get("data") or {}
        return (
            data
            if kind == "configmap"
            else {key: base64.b64decode(text).decode() for key, text in data.items()}
        )


def container_environment(pod: Json, container: Json, sources: Sources) -> dict[str, str]:
    """`envFrom` and `env`, the latter in their order, with `$(NAME)` expanded. Raises MissingReference."""
    result: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        kind = "configmap" if "configMapRef" in source else "secret"
        reference = source[_FROM[kind]]
        values = sources.values(kind, reference["name"])
        if values is None and not reference.get("optional"):
            raise MissingReference(f'{kind} "{reference["name"]}" not found')
        for key, text in (values or {}).items():
            result[source.get("prefix", "") + key] = text
    for variable in container.get("env", ()):
        value = _value(variable, result, pod, container, sources)
        if value is not None:
            result[variable["name"]] = value
    return result


def service_environment(services: Sequence[Json]) -> dict[str, str]:
    """The variables that a kubelet makes of the Services of a namespace, in the manner of Docker's links.

    An engine that has a setting of its own by such a name (`VLLM_PORT`) does not survive them.
    """
    result: dict[str, str] = {}
    for service in services:
        address = service["spec"].get("clusterIP", "")
        ports = service["spec"].get("ports", ())
        if address in ("", "None") or not ports:
            continue
        prefix = service["metadata"]["name"].upper().replace("-", "_")
        result[f"{prefix}_SERVICE_HOST"] = address
        result[f"{prefix}_SERVICE_PORT"] = str(ports[0]["port"])
        result[f"{prefix}_PORT"] = f"{ports[0].get('protocol', 'TCP').lower()}://{address}:{ports[0]['port']}"
        for port in ports:
            if port.get("name"):
                name = port["name"].upper().replace("-", "_")
                result[f"{prefix}_SERVICE_PORT_{name}"] = str(port["port"])
            protocol = port.get("protocol", "TCP")
            link = f"{prefix}_PORT_{port['port']}_{protocol}"
            result[link] = f"{protocol.lower()}://{address}:{port['port']}"
            result |= {
                f"{link}_PROTO": protocol.lower(),
                f"{link}_PORT": str(port["port"]),
                f"{link}_ADDR": address,
            }
    return result


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` by its value, `$$` by a dollar; a name that is not known stays as it is."""

    def replacement(found: re.Match[str]) -> str:
        if found[1] == "$":
            return "$"
        return variables.get(found[1][1:-1], found[0])

    return _REFERENCE.sub(replacement, text)


def _value(
    variable: Json, so_far: Mapping[str, str], pod: Json, container: Json, sources: Sources
) -> str | None:
    source = variable.get("valueFrom")
    if not source:
        return expand(variable.get("value", ""), so_far)
    if "fieldRef" in source:
        return field_value(pod, source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        return resource_value(pod, container, source["resourceFieldRef"], sources.allocatable)
    kind = "configmap" if "configMapKeyRef" in source else "secret"
    reference = source[_KEY[kind]]
    values = sources.values(kind, reference["name"])
    if values is not None and reference["key"] in values:
        return values[reference["key"]]
    if reference.get("optional"):
        return None
    if values is None:
        raise MissingReference(f'{kind} "{reference["name"]}" not found')
    place = f"{pod['metadata']['namespace']}/{reference['name']}"
    title = "ConfigMap" if kind == "configmap" else "Secret"
    raise MissingReference(f"couldn't find key {reference['key']} in {title} {place}")


def field_value(pod: Json, path: str) -> str:
    """A `fieldRef`: of metadata, spec and status. Maps are written as a downwardAPI volume does."""
    match = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if match:
        return str(pod["metadata"].get(match[1], {}).get(match[2], ""))
    found: Any = pod
    for part in path.split("."):
        found = found.get(part, "") if isinstance(found, Mapping) else ""
    if isinstance(found, Mapping):
        return "\n".join(f'{key}="{found[key]}"' for key in sorted(found))
    if isinstance(found, list):
        return ",".join(address["ip"] for address in found)
    return str(found)


def resource_value(pod: Json, container: Json, reference: Json, allocatable: Mapping[str, str]) -> str:
    """A `resourceFieldRef`: whole units of the divisor, rounded up; a limit that is not set is the node's."""
    name = reference.get("containerName")
    if name:
        everyone = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]
        container = next(one for one in everyone if one["name"] == name)
    section, _, resource = reference["resource"].partition(".")
    stated = container.get("resources", {}).get(section, {}).get(resource)
    if stated is None:
        stated = allocatable.get(resource, "0") if section == "limits" else "0"
    # The API server writes a divisor that was left out as 0.
    divisor = quantity(str(reference.get("divisor", "0"))) or Decimal(1)
    return str(int((quantity(str(stated)) / divisor).to_integral_value(ROUND_CEILING)))


def quantity(text: str) -> Decimal:
    """A Kubernetes quantity as a number. Raises ValueError for one that it does not know."""
    found = _QUANTITY.fullmatch(text)
    if found is None or found[2] not in _FACTORS:
        raise ValueError(f"{text!r} is no quantity that the process node knows")
    return Decimal(found[1]) * _FACTORS[found[2]]
