"""One thing to bring, as the pod's init container is told it."""

import json
from dataclasses import dataclass, fields
from pathlib import PurePosixPath

from pointsman.errors import PointsmanError


@dataclass(frozen=True)
class Item:
    """`into` is a folder that appears whole; `file` is what the engine will read below it, "" for all of it.
    `link` is a name for the only weights file, where `file` does not say which it is.
    """

    source: str
    into: str
    revision: str = ""
    sha256: str = ""
    file: str = ""
    link: str = ""

    @property
    def scheme(self) -> str:
        return self.source.partition("://")[0]

    @property
    def rest(self) -> str:
        return self.source.partition("://")[2]

    @property
    def shown(self) -> str:
        """The source as it may stand in a log: without a password, and without what signs an address."""
        if self.scheme != "https":
            return self.source
        host, slash, path = self.rest.partition("?")[0].partition("/")
        return f"https://{host.rpartition('@')[2]}{slash}{path}"

    def shares_credentials_with(self, other: "Item") -> bool:
        """Whether what opens the other's source may be shown to this one's."""
        return self.scheme == other.scheme and (self.scheme != "https" or self._host == other._host)

    @property
    def _host(self) -> str:
        return self.rest.partition("/")[0]

    @classmethod
    def from_argument(cls, text: str) -> "Item":
        """PointsmanError for an argument that this version does not understand."""
        try:
            stated = json.loads(text)
            item = cls(**stated)
        except (ValueError, TypeError) as error:
            raise PointsmanError(f"--item is not understood: {error}") from error
        texts = [getattr(item, one.name) for one in fields(item)]
        if not all(isinstance(value, str) for value in texts):
            raise PointsmanError("--item is not understood: every value is a text")
        if not PurePosixPath(item.into).is_absolute() or ".." in PurePosixPath(item.into).parts:
            raise PointsmanError("--item is not understood: into must be an absolute path")
        if ".." in PurePosixPath(item.file).parts or "/" in item.link:
            raise PointsmanError("--item is not understood: file and link lie below into")
        return item
