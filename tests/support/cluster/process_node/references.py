"""The ConfigMaps and Secrets that a pod names. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.support.cluster.process_node.environment import Json


def referenced(pod: Json) -> tuple[set[str], set[str]]:
    """Names of ConfigMaps and of Secrets, of its volumes and its containers' environments."""
    config_maps: set[str] = set()
    secrets: set[str] = set()
    for kind, name in _all(pod["spec"]):
        (config_maps if kind == "configMap" else secrets).add(name)
    return config_maps, secrets


def _all(spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        for source in container.get("envFrom", ()):
            yield from _named(source, "configMapRef", "secretRef")
        for variable in container.get("env", ()):
            yield from _named(variable.get("valueFrom") or {}, "configMapKeyRef", "secretKeyRef")
    for volume in spec.get("volumes", ()):
        if "configMap" in volume:
            yield "configMap", volume["configMap"]["name"]
        if "secret" in volume:
            yield "secret", volume["secret"]["secretName"]
        for source in volume.get("projected", {}).get("sources", ()):
            yield from _named(source, "configMap", "secret")


def _named(source: dict[str, Any], config_map: str, secret: str) -> Iterator[tuple[str, str]]:
    if config_map in source:
        yield "configMap", source[config_map]["name"]
    if secret in source:
        yield "secret", source[secret]["name"]
