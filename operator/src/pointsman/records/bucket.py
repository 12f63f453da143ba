"""A record of evidence as objects below a prefix of a bucket: each some lines, and none ever written again.

An object is named by the number of its first entry. To write one is to make an object that must not be there
yet: of two writers that go on from the same entry, the store lets one do it. A bucket may lock its objects.
Empty objects below `checkpoints/` say where segments begin; without them all is read, and nothing else is
different.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotSupportedError,
    PermissionDeniedError,
    UnauthenticatedError,
    UnknownConfigurationKeyError,
)
from obstore.store import ObjectStore, from_url

from pointsman.errors import PointsmanError
from pointsman.policy.evidence.record import Entry, RecordError, Verified
from pointsman.records.place import Moved, broken, entries_from

_OBJECT = re.compile(r"\d{12}\.jsonl")
_CHECKPOINTS, _NUMBER = "checkpoints", re.compile(r"\d{12}")
_AT_ONCE = 16
"""Objects that are asked for side by side."""
_PATIENCE = {"timeout": "30s", "connect_timeout": "10s"}
_DENIED = re.compile(r"\b(401 Unauthorized|403 Forbidden)\b")
_ADDRESSED = re.compile("endpoint|base_url", re.IGNORECASE)
_ADDRESS = "correct the address, or region and endpoint"
_NO_BUCKET = re.compile(r"\b404 Not Found\b")


class RecordBucket:
    """One writer goes on with it at a time; that another did is found when it writes."""

    torn_bytes = 0
    """An object is there whole or not at all."""

    def __init__(self, url: str, credentials_file: str | None = None) -> None:
        """`url` as s3://BUCKET/PREFIX. What no file says the store's client looks for in the environment, and
        then asks the cloud for this process's identity.
        """
        self.name = url.rstrip("/")
        self._credentials_file = credentials_file
        scheme, _, rest = self.name.partition("://")
        bucket, _, prefix = rest.partition("/")
        self._root, self._prefix = f"{scheme}://{bucket}", f"{prefix}/" if prefix else ""
        self._store: tuple[tuple[dict[str, Any], bool], ObjectStore] | None = None
        self._ends: list[tuple[int, str]] = []
        """Of the segments that were read: how many lines there are up to its end, and its name."""

    def read(self, *, is_whole: bool = False) -> Iterator[Entry]:
        """See `Place`."""
        try:
            yield from entries_from([] if is_whole else self.starts(), self._lines_from)
        except RecordError as error:
            raise broken(self, error.broken.line, error.broken.what, error.broken.todo) from None

    def append(self, after: Verified, lines: bytes, *, begins_segment: bool = False) -> None:
        """See `Place`. An answer that was lost is no trouble: the same object may be written twice."""
        key = f"{self._prefix}{after.entries + 1:012}.jsonl"
        with self._told():
            store = self._opened()
            if begins_segment:
                # Where it may be looked for: before it is there, as one that is missing is passed over.
                mark = f"{self._prefix}{_CHECKPOINTS}/{after.entries + 1:012}"
                with suppress(AlreadyExistsError):
                    obstore.put(store, mark, b"\n", mode="create", use_multipart=False)
            try:
                obstore.put(store, key, lines, mode="create", use_multipart=False)
            except AlreadyExistsError:
                if bytes(obstore.get(store, key).bytes()) != lines:
                    raise Moved from None

    def lines(self, start: int = 1) -> Iterator[bytes]:
        """See `Lines`."""
        return self._lines_from(start)

    def starts(self) -> list[int]:
        """See `Lines`."""
        with self._told():
            listed = obstore.list(self._opened(), f"{self._prefix}{_CHECKPOINTS}")
            names = [str(one["path"]).rpartition("/")[2] for page in listed for one in page]
        return sorted((int(name) for name in names if _NUMBER.fullmatch(name)), reverse=True)

    def _lines_from(self, entry: int) -> Iterator[bytes]:
        """With an entry that an object is named by."""
        self._ends, count = [], 0
        first = f"{self._prefix}{entry:012}.jsonl"
        # Azure has no such offset in every kind of account.
        is_listed_from = entry > 1 and not self._root.startswith("az://")
        before = f"{self._prefix}{entry - 1:012}.jsonl" if is_listed_from else None
        with self._told():
            store = self._opened()
            listed = obstore.list(store, self._prefix or None, offset=before)
            found = [str(one["path"]) for page in listed for one in page]
        keys = sorted(
            key for key in found if key >= first and _OBJECT.fullmatch(key.removeprefix(self._prefix))
        )
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for at in range(0, len(keys), _AT_ONCE):
                chosen = keys[at : at + _AT_ONCE]
                with self._told():
                    texts = list(pool.map(lambda key: bytes(obstore.get(store, key).bytes()), chosen))
                for key, text in zip(chosen, texts, strict=True):
                    lines = text.splitlines(keepends=True)
                    self._ends.append((count + len(lines), key))
                    count += len(lines)
                    yield from lines

    def where(self, line: int) -> str:
        begin = 0
        for end, key in self._ends:
            if line <= end:
                return f"{self._root}/{key}:{line - begin}"
            begin = end
        return f"{self.name}/ (after line {begin})"

    def _opened(self) -> ObjectStore:
        """The same as before as long as it is told the same: it keeps what it was given for its identity."""
        told = self._credentials()
        if self._store is None or self._store[0] != told:
            self._store = told, self._open(*told)
        return self._store[1]

    def _open(self, config: dict[str, Any], by_http: bool) -> ObjectStore:
        if self._root.startswith("s3://"):
            # A bucket that locks its objects takes none without a checksum.
            config = {"checksum_algorithm": "sha256", **config}
        settings: Mapping[str, Any] = {
            "config": config,
            "client_options": {**_PATIENCE, "allow_http": by_http},
            "retry_config": {"max_retries": 2, "retry_timeout": timedelta(seconds=20)},
        }
        return from_url(self._root, **settings)

    def _credentials(self) -> tuple[dict[str, Any], bool]:
        """What the store is told, and whether its address says plain HTTP."""
        if self._credentials_file is None:
            return {}, _by_http(os.environ)
        try:
            stated = json.loads(Path(self._credentials_file).read_text("utf-8"))
        except OSError as error:
            raise PointsmanError(
                error.strerror or "cannot be read",
                where=self._credentials_file,
                todo="name a file with the store's credentials",
            ) from None
        except ValueError:
            stated = None
        if not isinstance(stated, dict):
            # Not with the text of an error: it would show a part of the secret.
            raise PointsmanError(
                "holds no JSON object",
                where=self._credentials_file,
                todo='write one such as {"access_key_id": …, "secret_access_key": …, "region": …}',
            )
        if self._root.startswith("gs://") and stated.get("type") == "service_account":
            return {"service_account_key": json.dumps(stated)}, False
        plain = {str(key): str(value) for key, value in stated.items()}
        return plain, _by_http(plain) or _by_http(os.environ)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """A store's refusal in words, without what it was sent."""
        try:
            yield
        except BaseError as error:
            self._store = None
            what, todo = _refused(error)
            raise PointsmanError(what, where=self.name, todo=todo) from None
        except FileNotFoundError:
            # The store's client says so by Python's own error.
            raise PointsmanError(
                "there is no such bucket, or an object went while the record was read",
                where=self.name,
                todo=_ADDRESS,
            ) from None


def _by_http(settings: Mapping[str, str]) -> bool:
    """Whether an address among them is plain HTTP, as a store inside the cluster often speaks it."""
    return any(_ADDRESSED.search(key) and value.startswith("http://") for key, value in settings.items())


def _refused(error: BaseError) -> tuple[str, str]:
    said = str(error)
    match error:
        case _ if _DENIED.search(said) or isinstance(error, PermissionDeniedError | UnauthenticatedError):
            return "the store refuses these credentials", "give them the right to list, read and write there"
        case _ if _NO_BUCKET.search(said):
            return "there is no such bucket", _ADDRESS
        case UnknownConfigurationKeyError():
            return "the credentials have a key that this store does not know", "use the store's own names"
        case NotSupportedError():
            return "the store makes no objects on a condition", "use one that knows If-None-Match"
        case _:
            return (
                f"the store cannot be reached ({type(error).__name__})",
                "check the network, region and endpoint",
            )
