"""hf://owner/name[/path]: a repository of the Hugging Face hub at one revision, or a part of it."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from pointsman.weights.hub_files import BOOKKEEPING, HubPlace, bring_file, refused, unreachable
from pointsman.weights.item import Item
from pointsman.weights.room import check_room
from pointsman.weights.selection import below, below_folder, only_weights_file, whole_repository
from pointsman.weights.trouble import Reason, WeightsError

_REPOSITORY = re.compile(r"(?P<repository>[A-Za-z0-9._-]+/[A-Za-z0-9._-]+)(/(?P<path>.+))?")
# Files that are fetched side by side.
_AT_ONCE = 4
# Of which commit the files are that a former attempt left.
_COMMIT = ".commit"


def bring(item: Item, token: str | None, folder: Path) -> None:
    """Put the files into the folder, as they lie in the repository. WeightsError with the hub's reason."""
    match = _REPOSITORY.fullmatch(item.rest)
    if match is None:
        raise _no_repository(item)
    repository = match["repository"]
    try:
        api = HfApi(token=token)
        info = api.model_info(repository, revision=item.revision or None, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
        names = _wanted(item, list(sizes), match["path"] or "")
        place = HubPlace(item.source, repository, info.sha or item.revision or None, token)
        _begin(folder, place.commit or "")
        check_room(sum(sizes.get(name, 0) for name in names), folder)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(lambda name: bring_file(place, name, folder, lambda *_: None), names):
                pass
    except HFValidationError as error:
        raise _no_repository(item) from error
    except httpx2.TransportError as error:
        raise unreachable(item.source, error) from error
    except HfHubHTTPError as error:
        raise refused(item.source, item.revision, error) from error
    shutil.rmtree(folder / BOOKKEEPING, ignore_errors=True)
    (folder / _COMMIT).unlink()


def _begin(folder: Path, commit: str) -> None:
    """A branch may have moved since a former attempt: files of two commits make no model."""
    known = folder / _COMMIT
    if known.is_file() and known.read_text() != commit:
        shutil.rmtree(folder)
        folder.mkdir()
    known.write_text(commit)


def _no_repository(item: Item) -> WeightsError:
    return WeightsError(
        Reason.REPOSITORY_NOT_FOUND,
        "names no repository",
        where=item.source,
        todo="write hf://OWNER/NAME or hf://OWNER/NAME/FILE",
    )


def _wanted(item: Item, names: list[str], path: str) -> list[str]:
    if item.link and not path:
        return below_folder([only_weights_file(names, item.source)], item.source)
    found = below(names, path) if path else whole_repository(names)
    if not found:
        what = f"has no file {path}" if path else "has no files"
        raise WeightsError(Reason.FILE_NOT_FOUND, what, where=item.source, todo="correct spec.model.source")
    return below_folder(found, item.source)
