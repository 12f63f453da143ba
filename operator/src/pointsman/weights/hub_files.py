"""Single files of the Hugging Face hub, and what it says where it refuses them.

huggingface_hub knows the endpoints, the tokens and the errors. Its own `hf_hub_download` forgets a broken
download (since 2.0 it writes to a name that is unique to the process and removes it on failure), so the bytes
are fetched with its `http_get` into a file of ours that the next attempt continues, also after a crash.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import HfFileMetadata, http_get

from pointsman.weights.trouble import Reason, WeightsError, mismatch, too_large

_SHA256 = re.compile(r"[0-9a-f]{64}")
# What the library keeps beside the files that it brings itself.
BOOKKEEPING = ".cache"

Watch = Callable[[Path, int], None]
"""Called with a file that grows and the bytes it will have, 0 if unknown."""


@dataclass(frozen=True)
class HubPlace:
    """A repository at one commit; `source` is what the user calls it."""

    source: str
    repository: str
    commit: str | None
    token: str | None


def bring_file(place: HubPlace, name: str, folder: Path, watch: Watch) -> str:
    """Put one file of the repository into the folder, below the same path; its sha256, "" where it was not
    computed. A file that is there is left.

    Raises WeightsError for a missing file, a full disk or a damaged download, OSError, and the library's own
    errors, which `refused` and `unreachable` put in words.
    """
    target = folder / name
    if target.is_file():
        return ""
    url = hf_hub_url(place.repository, name, revision=place.commit)
    try:
        metadata = get_hf_file_metadata(url, token=place.token, retry_on_errors=True)
    except EntryNotFoundError as error:
        what = f"has no file {name} at revision {place.commit or 'main'}"
        todo = "correct spec.model.source"
        raise WeightsError(Reason.FILE_NOT_FOUND, what, where=place.source, todo=todo) from error
    target.parent.mkdir(parents=True, exist_ok=True)
    if metadata.size is not None and metadata.size > constants.MAX_HTTP_DOWNLOAD_SIZE:
        # Files this large are served by Xet alone, which keeps the chunks that have arrived by itself.
        hf_hub_download(place.repository, name, revision=place.commit, token=place.token, local_dir=folder)
        return ""
    partial = target.with_name(f".{target.name}.{_tag(metadata)}.partial")
    _download(place, url, metadata, partial, watch)
    sha256 = _verified(place, metadata, partial)
    partial.replace(target)
    return sha256


def unreachable(source: str, error: Exception) -> WeightsError:
    """No connection."""
    return WeightsError(
        Reason.SOURCE_UNREACHABLE,
        f"the hub cannot be reached ({type(error).__name__})",
        where=source,
        todo="check the network, and in a cluster its policy and proxy; it is tried again by itself",
    )


def refused(
    source: str, revision: str, error: HfHubHTTPError, newest: Callable[[], str | None] = lambda: None
) -> WeightsError:
    """The hub's answer in words; `newest` is asked for a commit where the revision is not there."""
    secret = "name a Secret with a valid token in spec.model.credentials"
    match error:
        case GatedRepoError():
            reason, what = Reason.ACCESS_DENIED, "the repository is gated and this token may not read it"
            todo = "accept its terms on the hub, and name a Secret with a token in spec.model.credentials"
        case RevisionNotFoundError():
            reason, what = Reason.REVISION_NOT_FOUND, f"has no revision {revision}"
            commit = newest()
            todo = f"the newest is {commit}" if commit else "use a commit of the repository"
        case RepositoryNotFoundError():
            reason, what = Reason.REPOSITORY_NOT_FOUND, "the hub shows no such repository"
            todo = "correct spec.model.source; a private one needs a token in spec.model.credentials"
        case _:
            status = error.response.status_code
            denied = status in (401, 403)
            reason = Reason.ACCESS_DENIED if denied else Reason.SOURCE_UNREACHABLE
            what, todo = f"the hub answers {status}", secret if denied else "it is tried again by itself"
    return WeightsError(reason, what, where=source, todo=todo)


def _tag(metadata: HfFileMetadata) -> str:
    """Names the content, so that a download is never continued with bytes of another."""
    return re.sub(r"[^A-Za-z0-9]", "", metadata.etag or "")[:16]


def _download(place: HubPlace, url: str, metadata: HfFileMetadata, partial: Path, watch: Watch) -> None:
    done = partial.stat().st_size if partial.exists() else 0
    if metadata.size is not None:
        if done > metadata.size:
            partial.unlink()
            done = 0
        free = shutil.disk_usage(partial.parent).free
        if free < metadata.size - done:
            raise too_large(metadata.size - done, free, partial.parent)
    watch(partial, metadata.size or 0)
    with partial.open("r+b" if done else "wb") as file:
        file.seek(done)
        http_get(
            url,
            file,
            resume_size=done,
            headers={"authorization": f"Bearer {place.token}"} if place.token else {},
            expected_size=metadata.size,
        )
        file.flush()
        os.fsync(file.fileno())


def _verified(place: HubPlace, metadata: HfFileMetadata, partial: Path) -> str:
    """Its sha256, compared with the hub's own (the etag of a large file)."""
    with partial.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    expected = metadata.etag or ""
    if _SHA256.fullmatch(expected) and sha256 != expected:
        partial.unlink()
        todo = "the damaged download was removed and is fetched again"
        raise mismatch(place.source, expected, sha256, todo)
    return sha256
