"""s3://, gs:// and az://: an object of a bucket, or everything below a prefix.

Without credentials the store's own ways are tried: variables, the pod's cloud identity, the machine's.
"""

import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from pointsman.weights.bucket_access import no_object, refused, settings
from pointsman.weights.item import Item
from pointsman.weights.room import check_room
from pointsman.weights.selection import below_folder, only_weights_file
from pointsman.weights.trouble import Reason, WeightsError

# One request each: stores bound how long a request may take, and a part is soon asked for again.
_PART_BYTES = 16 * 1024 * 1024
# Objects that are fetched side by side.
_AT_ONCE = 4


@dataclass(frozen=True)
class _Object:
    """One object as the store tells of it; `tag` tells one content from another."""

    key: str
    size: int
    tag: str
    modified: int
    """Seconds since 1970, as files keep them."""

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "_Object":
        modified = int(told["last_modified"].timestamp())
        return cls(str(told["path"]), told["size"], told["e_tag"] or "", modified)


def bring(item: Item, credential: str | None, folder: Path) -> None:
    """Put the object, or what lies below the prefix, into the folder. WeightsError with the reason."""
    bucket, _, path = item.rest.partition("/")
    try:
        store = from_url(f"{item.scheme}://{bucket}", **settings(item, credential))
        wanted = [(one, folder / name) for one, name in _wanted(store, item, path.strip("/"))]
        check_room(sum(one.size for one, _ in wanted), folder)
        missing = [(one, target) for one, target in wanted if not _is_there(one, target)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(lambda each: _copy(store, *each), missing):
                pass
    except FileNotFoundError as error:
        if error.errno is not None:
            raise
        # The store's client says so of an object by Python's own error, without the number that files have.
        raise no_object(item) from error
    except BaseError as error:
        raise refused(item, error) from error


def _wanted(store: ObjectStore, item: Item, path: str) -> list[tuple[_Object, str]]:
    """Objects, and where each goes below the folder."""
    if item.file:
        return [(_Object.of(obstore.head(store, path)), item.file)]
    prefix = f"{path}/" if path else ""
    found = [_Object.of(one) for page in obstore.list(store, prefix or None) for one in page]
    named = {one.key.removeprefix(prefix): one for one in found if not one.key.endswith("/")}
    if not named:
        raise WeightsError(
            Reason.FILE_NOT_FOUND,
            f"has nothing below {prefix or 'its root'}",
            where=item.source,
            todo="correct spec.model.source",
        )
    names = [only_weights_file(named, item.source)] if item.link else sorted(named)
    return [(named[name], name) for name in below_folder(names, item.source)]


def _is_there(one: _Object, target: Path) -> bool:
    """Whether a former attempt brought this very content: its time is the object's."""
    if not target.is_file():
        return False
    found = target.stat()
    return (found.st_size, int(found.st_mtime)) == (one.size, one.modified)


def _partial(one: _Object, target: Path) -> Path:
    """Where parts gather; its name holds the content's, so that it is never continued with another's."""
    content = f"{one.tag}\n{one.size}\n{one.modified}"
    return target.with_name(f".{target.name}.{hashlib.sha256(content.encode()).hexdigest()[:12]}.partial")


def _copy(store: ObjectStore, one: _Object, target: Path) -> None:
    """Bring one object part by part, going on where a former attempt ended."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(one, target)
    for former in target.parent.glob(f".{target.name}.*.partial"):
        if former != partial:
            former.unlink()
    with partial.open("ab") as file:
        while (begin := file.tell()) < one.size:
            options: obstore.GetOptions = {"range": (begin, min(begin + _PART_BYTES, one.size))}
            if one.tag and not one.tag.startswith("W/"):
                options["if_match"] = one.tag
            file.write(obstore.get(store, one.key, options=options).bytes())
        file.flush()
        os.fsync(file.fileno())
    os.utime(partial, (one.modified, one.modified))
    partial.replace(target)
