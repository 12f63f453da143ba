"""The Writer port over a connection: each write asks the fence at the moment it leaves."""

import re
from collections.abc import Mapping
from typing import Any

from pointsman.api.meta import ObjectKey
from pointsman.json_text import dumped
from pointsman.kube.connection import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, Connection
from pointsman.kube.errors import AlreadyExists, Conflict, KindNotServed, NotFound
from pointsman.kube.fence import Fence
from pointsman.kube.made import as_applied, maker
from pointsman.kube.objects import (
    CONTROLLER_REVISION,
    Kind,
    KubeObject,
    key_of,
    kind_of,
    metadata,
    resource_version_of,
    without_nothing,
)
from pointsman.kube.ports import Propagation

_NO_VERSION = "1"
"""No object has this resource version: an apply over it makes an object and never changes one."""
# DEL and C1 controls, line and paragraph separators, the byte order mark and what is no character, in UTF-8.
_NOT_YAML = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]|\xef\xbb\xbf|\xef\xbf[\xbe\xbf]")


class KubeWriter:
    """Give it the fence of the elected leader; without one it always writes, as for the lease itself."""

    def __init__(self, connection: Connection, fence: Fence | None = None) -> None:
        self._connection = connection
        self._fence = fence

    def still_leads(self) -> None:
        """For what is written elsewhere than to the API server. Raises LeadershipLost."""
        if self._fence is not None:
            self._fence.check()

    async def apply(self, obj: KubeObject, manager: str, *, force: bool = False) -> KubeObject:
        # A misspelt field of ours is an error and not silently dropped. In Kubernetes' own kinds it always is
        # for an apply; to ask for that has the API server read each body twice, a tenth of its work.
        validation = "Ignore" if kind_of(obj).is_kubernetes_own else "Strict"
        return await self._apply(obj, "", manager, force, validation)

    async def make(self, obj: KubeObject, manager: str) -> KubeObject:
        if kind_of(obj) == CONTROLLER_REVISION:
            return await self._make_by_apply(obj, manager)
        return await self._send(
            "POST",
            kind_of(obj).collection(key_of(obj).namespace),
            _stated(obj),
            # What is misspelt is refused, as it is of an apply.
            query={"fieldManager": maker(manager, obj), "fieldValidation": "Strict"},
        )

    async def _make_by_apply(self, obj: KubeObject, manager: str) -> KubeObject:
        """A revision's data is kept byte for byte as it was created, and may never change: a patch of
        anything else in it, such as of its owners, is refused unless those are the bytes that Go would write.
        """
        anew = {**obj, "metadata": {**metadata(obj), "resourceVersion": _NO_VERSION}}
        try:
            return await self.apply(anew, manager)
        except Conflict as conflict:
            raise AlreadyExists(conflict.what, where=conflict.where, status=conflict.status) from conflict

    async def note_as_applied(self, there: KubeObject, manager: str) -> None:
        patch = [
            {
                "op": "replace",
                "path": "/metadata/managedFields",
                "value": as_applied(metadata(there)["managedFields"], manager),
            },
            # Only over what was read; a `test` of it would fail as if the object were invalid.
            {"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version_of(there)},
        ]
        path = kind_of(there).path(key_of(there))
        await self._send(
            "PATCH", path, dumped(patch), query={"fieldManager": manager}, content_type=JSON_PATCH
        )

    async def apply_status(self, obj: KubeObject, manager: str, *, force: bool = True) -> KubeObject:
        named = key_of(obj)
        meta = {"name": named.name, "namespace": named.namespace or None}
        if version := resource_version_of(obj):
            meta["resourceVersion"] = version
        wanted = {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "metadata": meta,
            "status": obj.get("status") or {},
        }
        # Ignore: during an upgrade the installed CRD may be older than this program.
        return await self._apply(wanted, "status", manager, force, "Ignore")

    async def create(self, obj: KubeObject) -> KubeObject:
        path = kind_of(obj).collection(key_of(obj).namespace)
        return await self._send("POST", path, _stated(obj), repeatable=False)

    async def replace(self, obj: KubeObject) -> KubeObject:
        return await self._send("PUT", kind_of(obj).path(key_of(obj)), _stated(obj))

    async def merge(self, kind: Kind, key: ObjectKey, patch: Mapping[str, Any]) -> KubeObject:
        return await self._send("PATCH", kind.path(key), patch, content_type=MERGE_PATCH)

    async def scale(
        self, kind: Kind, key: ObjectKey, replicas: int, manager: str, *, resource_version: str = ""
    ) -> None:
        meta = {"metadata": {"resourceVersion": resource_version}} if resource_version else {}
        await self._send(
            "PATCH",
            kind.path(key, "scale"),
            {**meta, "spec": {"replicas": replicas}},
            query={"fieldManager": manager},
            content_type=MERGE_PATCH,
        )

    async def delete(
        self,
        kind: Kind,
        key: ObjectKey,
        uid: str = "",
        propagation: Propagation = Propagation.BACKGROUND,
    ) -> bool:
        options: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation.value,
        }
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            await self._send("DELETE", kind.path(key), options)
        except KindNotServed:
            raise
        except NotFound:
            return False
        except Conflict:
            if not uid:
                raise
            return False  # something else has the name now
        return True

    async def _apply(
        self, obj: KubeObject, subresource: str, manager: str, force: bool, validation: str
    ) -> KubeObject:
        return await self._send(
            "PATCH",
            kind_of(obj).path(key_of(obj), subresource),
            as_yaml(_stated(obj)),
            query={
                "fieldManager": manager,
                "force": "true" if force else "false",
                "fieldValidation": validation,
            },
            content_type=APPLY_PATCH,
        )

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | bytes, **how: Any) -> KubeObject:
        answer: KubeObject = await self._connection.request(method, path, body=body, fence=self._fence, **how)
        return answer


def _stated(obj: KubeObject) -> bytes:
    """The object as JSON without members that are null. Few have any, and to look for them in the text is a
    fraction of the work of looking through the object.
    """
    text = dumped(obj)
    return dumped(without_nothing(obj)) if b":null" in text else text


def as_yaml(text: bytes) -> bytes:
    """JSON that means the same to a reader of YAML, which the API server takes an apply for: some characters
    are line breaks there, and with others it refuses the whole text.
    """
    return _NOT_YAML.sub(lambda found: b"\\u%04x" % ord(found[0].decode()), text)
