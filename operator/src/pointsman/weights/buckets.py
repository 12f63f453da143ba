"""s3://, gs:// and az://: an object of a bucket, or everything below a prefix.

Without credentials the store's own ways are tried: variables, the pod's cloud identity, the machine's.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import (
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
    UnknownConfigurationKeyError,
)
from obstore.store import ObjectStore, from_url

from pointsman.weights.item import Item
from pointsman.weights.selection import only_weights_file
from pointsman.weights.trouble import Reason, WeightsError

_PIECE_BYTES = 16 * 1024 * 1024
_DENIED = re.compile(r"\b(401 Unauthorized|403 Forbidden)\b")


def bring(item: Item, credential: str | None, folder: Path) -> None:
    """Put the object, or what lies below the prefix, into the folder. WeightsError with the reason."""
    bucket, _, path = item.rest.partition("/")
    try:
        store = from_url(f"{item.scheme}://{bucket}", **_settings(item, credential))
        for key, below in _wanted(store, item, path.strip("/")):
            _copy(store, key, folder / below)
    except BaseError as error:
        raise _refusal(item, error) from error


def _wanted(store: ObjectStore, item: Item, path: str) -> Iterator[tuple[str, str]]:
    """Keys, and where each goes below the folder."""
    if item.file:
        yield path, item.file
        return
    prefix = f"{path}/" if path else ""
    keys = [str(found["path"]) for page in obstore.list(store, prefix or None) for found in page]
    names = {key.removeprefix(prefix): key for key in keys if not key.endswith("/")}
    if not names:
        raise WeightsError(
            Reason.FILE_NOT_FOUND,
            f"has nothing below {prefix or 'its root'}",
            where=item.source,
            todo="correct spec.model.source",
        )
    if item.link:
        names = {name: names[name] for name in [only_weights_file(names, item.source)]}
    for name, key in sorted(names.items()):
        if ".." not in Path(name).parts:
            yield key, name


def _copy(store: ObjectStore, key: str, target: Path) -> None:
    """Stream one object to a file; one that is there in full is left, so that a broken fetch goes on."""
    answer = obstore.get(store, key)
    if target.is_file() and target.stat().st_size == answer.meta["size"]:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    with partial.open("wb") as file:
        for piece in answer.stream(min_chunk_size=_PIECE_BYTES):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(target)


def _settings(item: Item, credential: str | None) -> Mapping[str, Any]:
    """What the store is told, from the Secret: a JSON object of its settings, as obstore names them; for gs
    also the JSON key of a service account.
    """
    if credential is None:
        return {}
    unreadable = WeightsError(
        Reason.CREDENTIALS_UNREADABLE,
        "the Secret of spec.model.credentials holds no JSON object",
        where=item.source,
        todo='write one such as {"access_key_id": …, "secret_access_key": …, "region": …}',
    )
    try:
        stated = json.loads(credential)
    except ValueError:
        # Not with the text of the error: it would show a part of the secret.
        raise unreadable from None
    if not isinstance(stated, dict):
        raise unreadable
    if item.scheme == "gs" and stated.get("type") == "service_account":
        return {"service_account_key": credential}
    plain = {str(key): value for key, value in stated.items()}
    return {
        "config": {key: str(value) for key, value in plain.items()},
        # A store inside the cluster often speaks plain HTTP; its owner says so by its address.
        "client_options": {"allow_http": str(plain.get("endpoint", "")).startswith("http://")},
    }


def _refusal(item: Item, error: BaseError) -> WeightsError:
    where = item.source
    # A list that is refused has no type of its own, only the server's answer in its text.
    denied = _DENIED.search(str(error)) is not None
    match error:
        case _ if denied:
            return _access_denied(where)
        case NotFoundError():
            return WeightsError(
                Reason.FILE_NOT_FOUND,
                "there is no such object",
                where=where,
                todo="correct spec.model.source",
            )
        case PermissionDeniedError() | UnauthenticatedError():
            return _access_denied(where)
        case UnknownConfigurationKeyError():
            return WeightsError(
                Reason.CREDENTIALS_UNREADABLE,
                "the Secret of spec.model.credentials has a key that this store does not know",
                where=where,
                todo="use the store's own names, such as access_key_id",
            )
        case _:
            return WeightsError(
                Reason.SOURCE_UNREACHABLE,
                f"the store cannot be reached ({type(error).__name__})",
                where=where,
                todo="check the network, its policy, and region and endpoint in the Secret",
            )


def _access_denied(where: str) -> WeightsError:
    return WeightsError(
        Reason.ACCESS_DENIED,
        "the store refuses these credentials",
        where=where,
        todo="name a Secret in spec.model.credentials, or give the pod's account the right to read",
    )
