"""Weights from the Hugging Face hub.

huggingface_hub knows the endpoints, the tokens and the errors. Its own `hf_hub_download` forgets a broken
download (since 2.0 it writes to a name that is unique to the process and removes it on failure), so the
bytes are fetched with its `http_get` into a file of ours that the next attempt continues, also after a
crash. A file that its cache already holds is used from there.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2
from huggingface_hub import (
    HfApi,
    constants,
    get_hf_file_metadata,
    get_token,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import HfFileMetadata, http_get

from pointsman.local.weights import located
from pointsman.local.weights.checksum import mismatch, remember_sha256
from pointsman.weights.shards import is_first_or_whole, is_shard, with_shards
from pointsman.local.weights.source import HubSource, stays_below
from pointsman.weights.trouble import Reason, WeightsError

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

Watch = Callable[[Path, int], None]
"""Called with a file that grows and the bytes it will have, 0 if unknown."""


@dataclass(frozen=True)
class _Download:
    source: HubSource
    token: str | None
    cache: Path
    watch: Watch


def fetch(source: HubSource, token: str | None, cache: Path, watch: Watch) -> Path:
    """Bring the file (all shards of it) and return its path, the first shard's if there are several.

    Raises WeightsError with the hub's reason, OSError for trouble with files.
    """
    download = _Download(source, token or get_token(), cache, watch)
    try:
        commit, names = _resolve(download)
        paths = [_fetch_file(download, commit, name) for name in names]
    except (httpx2.TransportError, OfflineModeIsEnabled) as error:
        raise _unreachable(source, error) from error
    except HfHubHTTPError as error:
        raise _refusal(download, error) from error
    located.remember_hub(source, cache, paths[0])
    return paths[0]


def _resolve(download: _Download) -> tuple[str, tuple[str, ...]]:
    """The commit of the revision, and which files are the model."""
    source = download.source
    if source.file and _COMMIT.fullmatch(source.revision):
        return source.revision, with_shards(source.file)
    info = HfApi(token=download.token).model_info(source.repository, revision=source.revision)
    files = (file.rfilename for file in info.siblings or ())
    names = {name for name in files if name.endswith(".gguf") and stays_below(name)}
    if source.file and source.file not in names and not is_shard(source.file):
        raise WeightsError(
            Reason.FILE_NOT_FOUND, f"the repository has no file {source.file}", where=str(source), todo=_choose(names)
        )
    candidates = {source.file} if source.file else {name for name in names if is_first_or_whole(name)}
    if len(candidates) != 1:
        raise WeightsError(
            Reason.SOURCE_AMBIGUOUS if candidates else Reason.FILE_NOT_FOUND,
            f"the repository has {len(candidates) or 'no'} GGUF files",
            where=str(source),
            todo=_choose(candidates),
        )
    return info.sha or source.revision, with_shards(candidates.pop())


def _choose(names: set[str]) -> str:
    if not names:
        return "choose a repository with GGUF files"
    shown = sorted(names)[:6]
    return f"append one to spec.model.source: {', '.join(shown)}{', …' if len(names) > len(shown) else ''}"


def _fetch_file(download: _Download, commit: str, name: str) -> Path:
    source = download.source
    cached = try_to_load_from_cache(source.repository, name, revision=commit)
    if isinstance(cached, str):
        return Path(cached)
    target = located.hub_path(source.repository, commit, name, download.cache)
    if target.is_file():
        return target
    url = hf_hub_url(source.repository, name, revision=commit)
    metadata = get_hf_file_metadata(url, token=download.token, retry_on_errors=True)
    if metadata.size is not None and metadata.size > constants.MAX_HTTP_DOWNLOAD_SIZE:
        # Files this large are served by Xet alone, which keeps the chunks that have arrived by itself.
        return Path(hf_hub_download(source.repository, name, revision=commit, token=download.token))
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{_tag(metadata)}.partial")
    _download(download, url, metadata, partial)
    _verify(source, metadata, partial, target, download.cache)
    return target


def _tag(metadata: HfFileMetadata) -> str:
    """Names the content, so that a download is never continued with bytes of another."""
    return re.sub(r"[^A-Za-z0-9]", "", metadata.etag or "")[:16]


def _download(download: _Download, url: str, metadata: HfFileMetadata, partial: Path) -> None:
    done = partial.stat().st_size if partial.exists() else 0
    if metadata.size is not None:
        if done > metadata.size:
            partial.unlink()
            done = 0
        free = shutil.disk_usage(partial.parent).free
        if free < metadata.size - done:
            raise WeightsError(
                Reason.DISK_FULL,
                f"{(metadata.size - done) / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free",
                where=str(partial.parent),
                todo="free some space; what has arrived is kept and the rest is fetched again later",
            )
    download.watch(partial, metadata.size or 0)
    with partial.open("r+b" if done else "wb") as file:
        file.seek(done)
        http_get(
            url,
            file,
            resume_size=done,
            headers={"authorization": f"Bearer {download.token}"} if download.token else {},
            expected_size=metadata.size,
        )
        file.flush()
        os.fsync(file.fileno())


def _verify(source: HubSource, metadata: HfFileMetadata, partial: Path, target: Path, cache: Path) -> None:
    """Compare with the hub's own checksum (the etag of a large file is its sha256), then give the file its
    name.
    """
    with partial.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    expected = metadata.etag or ""
    if _SHA256.fullmatch(expected) and sha256 != expected:
        partial.unlink()
        raise mismatch(str(source), expected, sha256, "the damaged download was removed and is fetched again")
    partial.replace(target)
    remember_sha256(target, cache, sha256)


def _unreachable(source: HubSource, error: Exception) -> WeightsError:
    return WeightsError(
        Reason.SOURCE_UNREACHABLE,
        f"the hub cannot be reached ({type(error).__name__})",
        where=str(source),
        todo="check the network; it is tried again by itself",
    )


def _refusal(download: _Download, error: HfHubHTTPError) -> WeightsError:
    source = download.source
    where = str(source)
    match error:
        case GatedRepoError():
            what = "the repository is gated and this token may not read it"
            todo = "accept its terms on the hub, and name a Secret with a token in spec.model.credentials"
            return WeightsError(Reason.ACCESS_DENIED, what, where=where, todo=todo)
        case RevisionNotFoundError():
            newest = _newest(download)
            todo = f"the newest is {newest}" if newest else "use a commit of the repository"
            return WeightsError(
                Reason.REVISION_NOT_FOUND, f"has no revision {source.revision}", where=where, todo=todo
            )
        case RepositoryNotFoundError():
            todo = "correct spec.model.source; a private one needs a token in spec.model.credentials"
            return WeightsError(
                Reason.REPOSITORY_NOT_FOUND, "the hub shows no such repository", where=where, todo=todo
            )
        case EntryNotFoundError():
            what = f"has no file {source.file} at revision {source.revision}"
            return WeightsError(Reason.FILE_NOT_FOUND, what, where=where, todo="correct spec.model.source")
        case _:
            status = error.response.status_code
            if status in (401, 403):
                todo = "name a Secret with a valid token in spec.model.credentials"
                return WeightsError(Reason.ACCESS_DENIED, f"the hub answers {status}", where=where, todo=todo)
            return WeightsError(
                Reason.SOURCE_UNREACHABLE, f"the hub answers {status}", where=where, todo="it is tried again by itself"
            )


def _newest(download: _Download) -> str | None:
    try:
        return HfApi(token=download.token).model_info(download.source.repository).sha
    except (httpx2.TransportError, HfHubHTTPError):
        return None
