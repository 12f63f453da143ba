"""A pod's volumes as folders of this machine, and where each container has them."""

from __future__ import annotations

import base64
import itertools
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.cluster.process_node.environment import (
    Json,
    MissingReference,
    Sources,
    field_value,
    resource_value,
)

_versions = itertools.count(1)


@dataclass(frozen=True)
class Places:
    """Where the volumes of one pod are: its own folder, the node's claims, folders of image volumes."""

    pod: Path
    claims: Path
    images: Mapping[str, str]

    def of(self, volume: Json, pod: Json) -> Path:
        """The folder (or, of a hostPath, the file) that stands for a volume."""
        if "persistentVolumeClaim" in volume:
            # Shared by all pods of the node, and kept when they go.
            claim = volume["persistentVolumeClaim"]["claimName"]
            return self.claims.joinpath(pod["metadata"]["namespace"], claim)
        if "ephemeral" in volume:
            claim = f"{pod['metadata']['name']}-{volume['name']}"
            return self.claims.joinpath(pod["metadata"]["namespace"], claim)
        if "hostPath" in volume:
            return Path(volume["hostPath"]["path"])
        if "image" in volume:
            return Path(self.images[volume["image"]["reference"]])
        return self.pod.joinpath(volume["name"])


def make_volumes(pod: Json, places: Places, sources: Sources, tokens: Mapping[tuple[str, int], str]) -> None:
    """Make or refresh every volume. `tokens` are the account's, by audience and seconds of validity.

    Raises MissingReference in a kubelet's words.
    """
    for volume in pod["spec"].get("volumes", ()):
        if "image" in volume:
            continue  # pulled as the images of containers are
        folder = places.of(volume, pod)
        files = volume_files(volume, pod, sources, tokens)
        if files is not None:
            write_together(folder, files)
        elif "hostPath" not in volume:
            folder.mkdir(parents=True, exist_ok=True)


def mount_paths(pod: Json, container: Json, places: Places) -> dict[str, str]:
    """From the container's mount paths to folders of this machine."""
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", ())}
    found = {}
    for mount in container.get("volumeMounts", ()):
        folder = places.of(volumes[mount["name"]], pod)
        if mount.get("subPath"):
            folder = folder / mount["subPath"]
            if not folder.exists():
                folder.mkdir(parents=True)
        found[mount["mountPath"]] = str(folder)
    return found


def wanted_tokens(pod: Json) -> set[tuple[str, int]]:
    """The account tokens that its projected volumes ask for: audience (may be empty), seconds."""
    projections = [
        source["serviceAccountToken"]
        for volume in pod["spec"].get("volumes", ())
        for source in volume.get("projected", {}).get("sources", ())
        if "serviceAccountToken" in source
    ]
    return {(one.get("audience", ""), int(one.get("expirationSeconds", 3600))) for one in projections}


def volume_files(
    volume: Json, pod: Json, sources: Sources, tokens: Mapping[tuple[str, int], str]
) -> dict[str, bytes] | None:
    """The files of a volume that holds objects; None for one that is a plain folder."""
    if "configMap" in volume:
        source = volume["configMap"]
        return _object_files("configmap", source["name"], source, sources)
    if "secret" in volume:
        source = volume["secret"]
        return _object_files("secret", source["secretName"], source, sources)
    if "downwardAPI" in volume:
        return _downward_files(volume["downwardAPI"], pod, sources)
    if "projected" not in volume:
        return None
    files: dict[str, bytes] = {}
    for source in volume["projected"].get("sources", ()):
        if "configMap" in source:
            inner = source["configMap"]
            files |= _object_files("configmap", inner["name"], inner, sources)
        elif "secret" in source:
            inner = source["secret"]
            files |= _object_files("secret", inner["name"], inner, sources)
        elif "downwardAPI" in source:
            files |= _downward_files(source["downwardAPI"], pod, sources)
        elif "serviceAccountToken" in source:
            inner = source["serviceAccountToken"]
            key = (inner.get("audience", ""), int(inner.get("expirationSeconds", 3600)))
            files[inner["path"]] = tokens[key].encode()
        else:
            raise MissingReference(f"the process node has no projection {next(iter(source))}")
    return files


def _object_files(kind: str, name: str, source: Json, sources: Sources) -> dict[str, bytes]:
    found = (sources.config_maps if kind == "configmap" else sources.secrets).get(name)
    if found is None:
        if source.get("optional"):
            return {}
        raise MissingReference(f'{kind} "{name}" not found')
    data = _bytes(found, kind)
    if not source.get("items"):
        return data
    files = {}
    for item in source["items"]:
        if item["key"] in data:
            files[item["path"]] = data[item["key"]]
        elif not source.get("optional"):
            raise MissingReference(f"references non-existent {kind} key: {item['key']}")
    return files


def _bytes(found: Json, kind: str) -> dict[str, bytes]:
    encoded = found.get("data" if kind == "secret" else "binaryData") or {}
    plain: dict[str, Any] = {} if kind == "secret" else found.get("data") or {}
    return {
        **{key: base64.b64decode(text) for key, text in encoded.items()},
        **{key: text.encode() for key, text in plain.items()},
    }


def _downward_files(source: Json, pod: Json, sources: Sources) -> dict[str, bytes]:
    files = {}
    for item in source.get("items", ()):
        if "fieldRef" in item:
            text = field_value(pod, item["fieldRef"]["fieldPath"])
        else:
            text = resource_value(pod, {}, item["resourceFieldRef"], sources.allocatable)
        files[item["path"]] = text.encode()
    return files


def write_together(folder: Path, files: Mapping[str, bytes]) -> None:
    """All files change at one moment, as a kubelet does it: names are links through `..data` to a version."""
    data = folder / "..data"
    if data.exists() and _content(data) == dict(files):
        return
    former = os.readlink(data) if data.is_symlink() else None
    version = folder / f"..version-{next(_versions)}"
    for name, content in files.items():
        path = version / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    version.mkdir(parents=True, exist_ok=True)
    following = folder / "..data_tmp"
    following.symlink_to(version.name)
    following.replace(data)
    tops = {name.partition("/")[0] for name in files}
    for top in tops:
        if not (folder / top).is_symlink():
            (folder / top).symlink_to(f"..data/{top}")
    for entry in folder.iterdir():
        if not entry.name.startswith("..") and entry.name not in tops:
            entry.unlink()
    if former is not None:
        shutil.rmtree(folder / former)


def _content(data: Path) -> dict[str, bytes]:
    return {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()}
