"""Waiting for what the status of pods and nodes says."""

from __future__ import annotations

from typing import Any

from tests.support.cluster.admin import Admin
from tests.support.polling import eventually_async

Json = dict[str, Any]

SEEN_SECONDS = 60.0


async def seen(
    admin: Admin, namespace: str, name: str, *, within_seconds: float = SEEN_SECONDS, **wanted: Any
) -> Json:
    """The pod, once its status says all that is wanted (see `facts`)."""

    def look() -> Json:
        found = admin.get("v1", "Pod", name, namespace)
        known = facts(found)
        assert {key: known.get(key) for key in wanted} == wanted, str(found["status"])
        return found

    return await eventually_async(look, within_seconds, f"pod {name} has {wanted}")


def facts(found: Json) -> Json:
    """Phase, reason, ready, and of the first container: waiting, exit code, restarts."""
    status = found["status"]
    conditions = {one["type"]: one["status"] for one in status.get("conditions", ())}
    first = (status.get("containerStatuses") or [{}])[0]
    return {
        "phase": status.get("phase"),
        "reason": status.get("reason"),
        "ready": conditions.get("Ready") == "True",
        "waiting": first.get("state", {}).get("waiting", {}).get("reason"),
        "exit_code": first.get("state", {}).get("terminated", {}).get("exitCode"),
        "restarts": first.get("restartCount"),
        "conditions": conditions,
    }
