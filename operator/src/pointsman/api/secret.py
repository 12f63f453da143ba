"""v1 Secret, as local mode reads it from a manifest and the gateway reads it from a cluster.

Values never appear in `repr`, in findings or in `to_document`-based state: read them with `value`.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.functional_validators import AfterValidator
from pydantic_core import PydanticCustomError

from pointsman.api.names import DataKey, Flag
from pointsman.api.resource import Resource

ALLOWED_HOSTS = "pointsman.dev/allowed-hosts"
ENVIRONMENT_PREFIX = "pointsman.dev/env."
FILE_PREFIX = "pointsman.dev/file."

NOT_BASE64 = "not_base64"
# Kubernetes: a Secret holds at most 1 MiB; base64 makes 4 characters of 3 bytes.
_LARGEST_BYTES = 1024 * 1024


def _is_base64(text: str) -> str:
    try:
        base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise PydanticCustomError(NOT_BASE64, "is not base64") from None
    return text


_Encoded = Annotated[str, Field(max_length=_LARGEST_BYTES // 3 * 4 + 4), AfterValidator(_is_base64)]


class Secret(Resource):
    """Keys and values; `data` is base64, `string_data` plain and wins."""

    api_version: Literal["v1"] = "v1"
    kind: Literal["Secret"] = "Secret"
    type: Annotated[str, Field(max_length=253)] = "Opaque"
    immutable: Flag | None = None
    data: Annotated[dict[DataKey, _Encoded], Field(max_length=1024, repr=False)] = Field(default_factory=dict)
    string_data: Annotated[
        dict[DataKey, Annotated[str, Field(max_length=_LARGEST_BYTES)]], Field(max_length=1024, repr=False)
    ] = Field(default_factory=dict)

    @property
    def keys(self) -> frozenset[str]:
        """Every key that has a value here or, by annotation, in the environment or a file."""
        return frozenset({*self.data, *self.string_data, *self.environment_variables, *self.files})

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """The hosts that values may be sent to; empty means none."""
        listed = self.metadata.annotations.get(ALLOWED_HOSTS, "")
        return frozenset(host.strip().lower() for host in listed.split(",") if host.strip())

    def may_be_sent_to(self, host: str) -> bool:
        """Whether the annotation names this host, exactly; nothing is implied by a part of a name."""
        return host.lower() in self.allowed_hosts

    @property
    def environment_variables(self) -> Mapping[str, str]:
        """Key -> the environment variable that holds its value (local mode)."""
        return self._sources(ENVIRONMENT_PREFIX)

    @property
    def files(self) -> Mapping[str, str]:
        """Key -> the file that holds its value, relative to the manifest (local mode)."""
        return self._sources(FILE_PREFIX)

    def value(self, key: str) -> bytes | None:
        """The value that stands in the manifest itself, None where there is none."""
        if key in self.string_data:
            return self.string_data[key].encode()
        if key in self.data:
            return base64.b64decode("".join(self.data[key].split()))
        return None

    def with_values(self, values: Mapping[str, str]) -> "Secret":
        """A copy that also holds these values (read from the environment or files by the caller)."""
        return self.model_copy(update={"string_data": {**self.string_data, **values}})

    def _sources(self, prefix: str) -> Mapping[str, str]:
        annotations: Mapping[str, Any] = self.metadata.annotations
        return {
            name.removeprefix(prefix): value for name, value in annotations.items() if name.startswith(prefix)
        }
