"""How weights and adapters come into a pod: downloaded by an init container, or mounted.

Downloads go into a folder whose name holds a hash of source and revision, so that pods may share a volume and
a changed revision never finds the files of another.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from pointsman.api import Model
from pointsman.catalog import EngineFacts
from pointsman.catalog.adapters import DOWNLOADED
from pointsman.errors import PointsmanError
from pointsman.workloads.surroundings import Surroundings

STORE: Final = "/weights/store"
STORE_VOLUME: Final = "weights"
_MOUNTED = "/weights/source"
_ADAPTERS = "/weights/adapters"

# What ends in one of these is a file of the source, anything else below it a folder.
_FILE = re.compile(r"\.(gguf|safetensors|bin|pt|pth|onnx|json|tar|zip)$", re.IGNORECASE)


@dataclass(frozen=True)
class Download:
    """One thing for the init container to fetch; written whole before it appears at `into`."""

    source: str
    into: str
    revision: str = ""
    sha256: str = ""
    file: str = ""
    """What is read below `into`, where the source names one file."""
    link: str = ""
    """A name for the only weights file that comes, where the source names none."""

    def to_argument(self) -> str:
        stated = {
            "source": self.source,
            "revision": self.revision,
            "sha256": self.sha256,
            "into": self.into,
            "file": self.file,
            "link": self.link,
        }
        return json.dumps({key: value for key, value in stated.items() if value}, sort_keys=True)


@dataclass(frozen=True)
class Supply:
    """What a pod needs so that weights and adapters lie at `path` and `adapters` (name -> path)."""

    path: str
    adapters: dict[str, str] = field(default_factory=dict)
    downloads: tuple[Download, ...] = ()
    volumes: tuple[dict[str, Any], ...] = ()
    mounts: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class _Place:
    path: str
    download: Download | None = None
    volume: dict[str, Any] | None = None
    mount: dict[str, Any] | None = None


def scheme_of(source: str) -> str:
    return source.partition("://")[0]


def file_of(source: str) -> str:
    """The file that a source names below its repository, bucket, claim or image; "" where it names none."""
    scheme, _, rest = source.partition("://")
    below = rest.partition("#")[2] if scheme == "oci" else re.split("[?#]", rest, maxsplit=1)[0]
    parts = below.split("/")
    return parts[-1] if _FILE.search(parts[-1]) else ""


def supply(
    model: Model, facts: EngineFacts, surroundings: Surroundings, revision: str, *, live: bool = False
) -> Supply:
    """Where everything lies and how it comes there; `revision` is the exact one, "" for none. `live`: without
    the adapters, which come while the pod runs.

    PointsmanError for an OCI source where the cluster has no image volumes.
    """
    places = [
        _place(
            model.source,
            revision,
            model.sha256 or "",
            facts.launch.weights_file,
            "source",
            _MOUNTED,
            surroundings,
        )
    ]
    adapters = () if live else model.adapters
    places += [
        _place(
            adapter.source,
            adapter.revision or "",
            "",
            "",
            f"adapter-{number}",
            f"{_ADAPTERS}/{number}",
            surroundings,
        )
        for number, adapter in enumerate(adapters)
    ]
    downloads = tuple(dict.fromkeys(place.download for place in places if place.download is not None))
    store = (_store(surroundings),) if downloads or live else ()
    store_mount = ({"name": STORE_VOLUME, "mountPath": STORE, "readOnly": True},) if store else ()
    return Supply(
        path=places[0].path,
        adapters={adapter.name: place.path for adapter, place in zip(adapters, places[1:], strict=True)},
        downloads=downloads,
        volumes=(*store, *(place.volume for place in places if place.volume is not None)),
        mounts=(*store_mount, *(place.mount for place in places if place.mount is not None)),
    )


def downloaded(source: str, revision: str) -> tuple[Download, str]:
    """How something else than the weights is fetched, and where below the store an engine reads it."""
    place = _downloaded(source, revision, "", "")
    assert place.download is not None
    return place.download, place.path


def _store(surroundings: Surroundings) -> dict[str, Any]:
    if surroundings.weights_claim:
        claim = {"claimName": surroundings.weights_claim}
        return {"name": STORE_VOLUME, "persistentVolumeClaim": claim}
    return {"name": STORE_VOLUME, "emptyDir": {}}


def _place(
    source: str, revision: str, sha256: str, link: str, name: str, folder: str, surroundings: Surroundings
) -> _Place:
    scheme, _, rest = source.partition("://")
    if scheme in DOWNLOADED:
        return _downloaded(source, revision, sha256, link)
    if scheme == "pvc":
        claim, _, below = rest.partition("/")
        volume = {"name": name, "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}
        return _mounted(volume, folder, below)
    if scheme == "oci":
        if not surroundings.image_volumes:
            raise PointsmanError(
                f"{source} needs image volumes, which this cluster{_version(surroundings)} does not have",
                where="spec.model.source",
                todo="use Kubernetes 1.35 or later, or another source",
            )
        reference, _, below = rest.partition("#")
        image = {"reference": _image(reference, revision), "pullPolicy": "IfNotPresent"}
        return _mounted({"name": name, "image": image}, folder, below)
    raise PointsmanError(
        f"{scheme}:// names a place on one machine, which a cluster does not have",
        where="spec.model.source",
        todo="use hf://, s3://, gs://, az://, oci://, pvc://, https:// or package://",
    )


def _version(surroundings: Surroundings) -> str:
    return f" (Kubernetes {surroundings.kubernetes})" if surroundings.kubernetes else ""


def _downloaded(source: str, revision: str, sha256: str, link: str) -> _Place:
    identity = hashlib.sha256("\n".join((source, revision, sha256)).encode()).hexdigest()[:12]
    plain = re.sub(r"[^a-z0-9]+", "-", source.partition("://")[2].lower()).strip("-")
    into = f"{STORE}/{plain[:40].rstrip('-') or 'weights'}-{identity}"
    scheme, _, rest = source.partition("://")
    file = file_of(source)
    if scheme == "hf":
        # Files keep the folders that they have in the repository.
        below = "/".join(rest.split("/")[2:])
        file = below if file and below else ""
    else:
        below = file = file or ("weights" if scheme == "https" else "")
    if below:
        return _Place(f"{into}/{below}", Download(source, into, revision, sha256, file))
    return _Place(f"{into}/{link}".rstrip("/"), Download(source, into, revision, sha256, link=link))


def _mounted(volume: dict[str, Any], folder: str, below: str) -> _Place:
    mount = {"name": volume["name"], "mountPath": folder, "readOnly": True}
    return _Place(f"{folder}/{below}".rstrip("/"), volume=volume, mount=mount)


def _image(reference: str, revision: str) -> str:
    """`name:tag@sha256:…`, from a reference and the tag or digest that the revision gives."""
    if not revision or "@" in reference:
        return reference
    if revision.startswith("sha256:"):
        return f"{reference}@{revision}"
    has_tag = ":" in reference.rsplit("/", 1)[-1]
    return reference if has_tag else f"{reference}:{revision}"
