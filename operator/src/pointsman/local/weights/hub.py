"""Weights from the Hugging Face hub: which files a source means, and where they are kept.

A file that the cache of huggingface_hub already holds is used from there.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import httpx2
from huggingface_hub import HfApi, get_token, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

from pointsman.local.weights import located
from pointsman.local.weights.checksum import remember_sha256
from pointsman.local.weights.source import HubSource
from pointsman.weights.hub_files import HubPlace, Watch, bring_file, refused, unreachable
from pointsman.weights.selection import stays_below
from pointsman.weights.shards import is_first_or_whole, is_shard, with_shards
from pointsman.weights.trouble import Reason, WeightsError

_COMMIT = re.compile(r"[0-9a-f]{40}")


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
        raise unreachable(str(source), error) from error
    except HfHubHTTPError as error:
        raise refused(str(source), source.revision, error, lambda: _newest(download)) from error
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
            Reason.FILE_NOT_FOUND,
            f"the repository has no file {source.file}",
            where=str(source),
            todo=_choose(names),
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
    folder = located.hub_folder(source.repository, commit, download.cache)
    place = HubPlace(str(source), source.repository, commit, download.token)
    sha256 = bring_file(place, name, folder, download.watch)
    if sha256:
        remember_sha256(folder / name, download.cache, sha256)
    return folder / name


def _newest(download: _Download) -> str | None:
    try:
        return HfApi(token=download.token).model_info(download.source.repository).sha
    except (httpx2.TransportError, HfHubHTTPError):
        return None
