"""hf://owner/name[/path]: a repository of the Hugging Face hub at one revision, or a part of it."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx2
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from pointsman.weights.item import Item
from pointsman.weights.selection import below, only_weights_file, whole_repository
from pointsman.weights.trouble import WeightsError, Reason

_REPOSITORY = re.compile(r"(?P<repository>[A-Za-z0-9._-]+/[A-Za-z0-9._-]+)(/(?P<path>.+))?")
# What the library keeps beside the files to go on with a broken download.
_BOOKKEEPING = ".cache"
# Files that are fetched side by side; a large one is itself fetched in parts.
_AT_ONCE = 4


def bring(item: Item, token: str | None, folder: Path) -> None:
    """Put the files into the folder, as they lie in the repository. WeightsError with the hub's reason."""
    match = _REPOSITORY.fullmatch(item.rest)
    if match is None:
        raise WeightsError(
            Reason.REPOSITORY_NOT_FOUND,
            "names no repository",
            where=item.source,
            todo="write hf://OWNER/NAME or hf://OWNER/NAME/FILE",
        )
    repository = match["repository"]
    try:
        info = HfApi(token=token).model_info(repository, revision=item.revision or None)
        names = _wanted(item, [file.rfilename for file in info.siblings or ()], match["path"] or "")
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            bring_one = partial(
                hf_hub_download,
                repository,
                revision=info.sha or item.revision or None,
                local_dir=folder,
                token=token,
            )
            for _ in pool.map(bring_one, names):
                pass
    except (httpx2.TransportError, LocalEntryNotFoundError) as error:
        raise WeightsError(
            Reason.SOURCE_UNREACHABLE,
            f"the hub cannot be reached ({type(error).__name__})",
            where=item.source,
            todo="check the network, its policy and the proxy of the fleet settings",
        ) from error
    except HfHubHTTPError as error:
        raise _refusal(item, error) from error
    shutil.rmtree(folder / _BOOKKEEPING, ignore_errors=True)


def _wanted(item: Item, names: list[str], path: str) -> list[str]:
    if item.link and not path:
        return [only_weights_file(names, item.source)]
    found = below(names, path) if path else whole_repository(names)
    if not found:
        what = f"has no file {path}" if path else "has no files"
        raise WeightsError(Reason.FILE_NOT_FOUND, what, where=item.source, todo="correct spec.model.source")
    return found


def _refusal(item: Item, error: HfHubHTTPError) -> WeightsError:
    secret = "name a Secret with a token in spec.model.credentials"
    match error:
        case GatedRepoError():
            reason, what = Reason.ACCESS_DENIED, "the repository is gated and this token may not read it"
            todo = f"accept its terms on the hub, and {secret}"
        case RevisionNotFoundError():
            reason, what = Reason.REVISION_NOT_FOUND, f"has no revision {item.revision}"
            todo = "use a commit of the repository"
        case RepositoryNotFoundError():
            reason, what = Reason.REPOSITORY_NOT_FOUND, "the hub shows no such repository"
            todo = "correct spec.model.source; a private one needs a token in spec.model.credentials"
        case _:
            status = error.response.status_code
            denied = status in (401, 403)
            reason = Reason.ACCESS_DENIED if denied else Reason.SOURCE_UNREACHABLE
            what, todo = f"the hub answers {status}", secret if denied else "it is tried again by itself"
    return WeightsError(reason, what, where=item.source, todo=todo)
