"""Which Kubernetes an API server is: what it keeps of an object depends on it."""

import re
from dataclasses import dataclass
from typing import Any, Self

from pointsman.kube.connection import Connection
from pointsman.kube.errors import KubeError

_PATH = "/version"
_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True, order=True)
class ServerVersion:
    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @classmethod
    def of(cls, answer: Any) -> Self:
        """From the answer to /version; some providers write the minor version as `34+`. KubeError where it
        says none.
        """
        stated = answer if isinstance(answer, dict) else {}
        numbers = [_NUMBER.match(str(stated.get(part, ""))) for part in ("major", "minor")]
        found = [int(number.group()) for number in numbers if number is not None]
        if len(found) != len(numbers):
            raise KubeError("the API server does not say its version", where=_PATH)
        return cls(*found)


async def server_version(connection: Connection) -> ServerVersion:
    """What the API server says of itself. Raises KubeError."""
    return ServerVersion.of(await connection.request("GET", _PATH))
