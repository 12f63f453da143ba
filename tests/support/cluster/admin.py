"""The API server as a plain object for tests that are not asynchronous: create, apply, look, delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from tests.support.cluster.access import Access
from tests.support.cluster.api_client import APPLY, MERGE, ApiClient, ApiError, Json
from tests.support.event_loop_thread import EventLoopThread
from tests.support.polling import eventually

_DELETED_SECONDS = 120.0
_LOOK_AGAIN_SECONDS = 0.05


class Admin:
    """Asks as one user, from any thread. Use as a context manager.

    An object is named by API version, kind, name and namespace; the namespace of a cluster-scoped kind is
    not looked at.
    """

    def __init__(self, access: Access) -> None:
        self.access = access
        self._thread = EventLoopThread(f"api {access.user}")
        self._client = ApiClient(access)

    def __enter__(self) -> Admin:
        self._thread.__enter__()
        self._thread.call(self._client.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave; nothing happens if it was not entered."""
        if self._thread.is_running:
            self._thread.call(self._client.__aexit__(None, None, None))
            self._thread.__exit__(None, None, None)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        parameters: Mapping[str, str] | None = None,
    ) -> Any:
        """Any request; see `ApiClient.request`."""
        asked = self._client.request(method, path, body, content_type=content_type, parameters=parameters)
        return self._thread.call(asked, 90.0)

    def create(self, manifest: Mapping[str, Any], namespace: str = "default") -> Json:
        """Create an object. Raises ApiError(409) where it is there."""
        created: Json = self.request("POST", self._path(manifest, namespace, named=False), manifest)
        return created

    def apply(
        self,
        manifest: Mapping[str, Any],
        namespace: str = "default",
        *,
        manager: str = "tests",
        force: bool = False,
        subresource: str = "",
    ) -> Json:
        """Server-side apply."""
        parameters = {"fieldManager": manager, "force": str(force).lower()}
        path = self._path(manifest, namespace, subresource=subresource)
        applied: Json = self.request("PATCH", path, manifest, content_type=APPLY, parameters=parameters)
        return applied

    def apply_files(self, *paths: Path, namespace: str = "default") -> list[Json]:
        """Apply every document of the YAML files, folders' files in the order of their names."""
        applied = []
        for path in paths:
            files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
            for document in (found for file in files for found in yaml.safe_load_all(file.read_text())):
                if document is not None:
                    applied.append(self.apply(document, namespace))
        return applied

    def patch(
        self,
        api_version: str,
        kind: str,
        name: str,
        change: Any,
        namespace: str = "default",
        *,
        content_type: str = MERGE,
        subresource: str = "",
    ) -> Json:
        """Patch an object; a merge patch unless said otherwise."""
        path = self._of(api_version, kind, name, namespace, subresource)
        patched: Json = self.request("PATCH", path, change, content_type=content_type)
        return patched

    def get(self, api_version: str, kind: str, name: str, namespace: str = "default") -> Json:
        """An object. Raises ApiError(404)."""
        found: Json = self.request("GET", self._of(api_version, kind, name, namespace))
        return found

    def find(self, api_version: str, kind: str, name: str, namespace: str = "default") -> Json | None:
        """An object, None where there is none."""
        try:
            return self.get(api_version, kind, name, namespace)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(
        self, api_version: str, kind: str, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> list[Json]:
        """The objects of a kind in a namespace, or in all."""
        parameters = {"labelSelector": labels, "fieldSelector": fields}
        path = self._of(api_version, kind, "", namespace)
        answer = self.request("GET", path, parameters={key: text for key, text in parameters.items() if text})
        items: list[Json] = answer["items"]
        return items

    def delete(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str = "default",
        *,
        propagation: str = "Background",
        grace_seconds: int | None = None,
    ) -> None:
        """Delete an object, which may take a while to be gone. Nothing happens where there is none."""
        body: Json = {"propagationPolicy": propagation}
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        try:
            self.request("DELETE", self._of(api_version, kind, name, namespace), body)
        except ApiError as error:
            if error.status != 404:
                raise

    def wait_for(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str = "default",
        *,
        until: Callable[[Json], object] = bool,
        within_seconds: float = 60.0,
    ) -> Json:
        """The object, once there is one and `until` is true of it."""

        def seen() -> Json:
            found = self.find(api_version, kind, name, namespace)
            assert found is not None, "there is none"
            assert until(found), str(found.get("status", found))
            return found

        return eventually(seen, within_seconds, f"{kind} {namespace}/{name}", _LOOK_AGAIN_SECONDS)

    def wait_gone(self, api_version: str, kind: str, name: str, namespace: str = "default") -> None:
        """Wait until there is no such object any more."""
        what = f"{kind} {namespace}/{name} is gone"
        eventually(lambda: self.find(api_version, kind, name, namespace) is None, _DELETED_SECONDS, what)

    def _path(
        self, manifest: Mapping[str, Any], namespace: str, *, named: bool = True, subresource: str = ""
    ) -> str:
        metadata = manifest["metadata"]
        name = metadata["name"] if named else ""
        place = metadata.get("namespace", namespace)
        return self._of(manifest["apiVersion"], manifest["kind"], name, place, subresource)

    def _of(self, api_version: str, kind: str, name: str, namespace: str, subresource: str = "") -> str:
        resource = self._thread.call(self._client.resource(api_version, kind))
        return resource.path(namespace, name, subresource)
