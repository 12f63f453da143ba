"""How a store is opened with what a Secret holds, and what it says where it refuses."""

import json
import re
from collections.abc import Mapping
from typing import Any

from obstore.exceptions import (
    BaseError,
    InvalidPathError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
    UnknownConfigurationKeyError,
)

from pointsman.weights.item import Item
from pointsman.weights.trouble import Reason, WeightsError

# A list that is refused has no type of its own, only the server's answer in its text.
_DENIED = re.compile(r"\b(401 Unauthorized|403 Forbidden)\b")
_NO_BUCKET = re.compile(r"\b404 Not Found\b")
# A part must come within the first, and no connection is silent longer than the second.
_PATIENCE = {"timeout": "10min", "read_timeout": "60s"}


def settings(item: Item, credential: str | None) -> Mapping[str, Any]:
    """What the store is told, from the Secret: a JSON object of its settings, as obstore names them; for gs
    also the JSON key of a service account. WeightsError for anything else.
    """
    if credential is None:
        return {"client_options": _PATIENCE}
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
        return {"service_account_key": credential, "client_options": _PATIENCE}
    plain = {str(key): str(value) for key, value in stated.items()}
    # A store inside the cluster often speaks plain HTTP; its owner says so by its address.
    by_http = any("endpoint" in key and value.startswith("http://") for key, value in plain.items())
    return {"config": plain, "client_options": {**_PATIENCE, "allow_http": by_http}}


def refused(item: Item, error: BaseError) -> WeightsError:
    """The store's answer in words."""
    where, said = item.source, str(error)
    match error:
        case _ if _DENIED.search(said):
            return _access_denied(where)
        case _ if _NO_BUCKET.search(said):
            return WeightsError(
                Reason.FILE_NOT_FOUND,
                "there is no such bucket",
                where=where,
                todo="correct spec.model.source, or region and endpoint in the Secret",
            )
        case PermissionDeniedError() | UnauthenticatedError():
            return _access_denied(where)
        case InvalidPathError():
            return WeightsError(
                Reason.SOURCE_NOT_SUPPORTED,
                "has an object whose name cannot be a file's",
                where=where,
                todo="rename it, or name a source without it",
            )
        case PreconditionError():
            return WeightsError(
                Reason.SOURCE_UNREACHABLE,
                "an object was replaced while it was fetched",
                where=where,
                todo="it is tried again by itself",
            )
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


def no_object(item: Item) -> WeightsError:
    return WeightsError(
        Reason.FILE_NOT_FOUND,
        "there is no such object",
        where=item.source,
        todo="correct spec.model.source",
    )


def _access_denied(where: str) -> WeightsError:
    return WeightsError(
        Reason.ACCESS_DENIED,
        "the store refuses these credentials",
        where=where,
        todo="name a Secret in spec.model.credentials, or give the pod's account the right to read",
    )
