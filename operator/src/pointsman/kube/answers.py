"""What an HTTP answer of the API server, or of a proxy before it, means."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from pointsman.json_text import loaded
from pointsman.kube.errors import Interrupted, KindNotServed, KubeError, from_status


def refusal(answer: aiohttp.ClientResponse, content: bytes) -> KubeError:
    """The error in an answer of 400 and more. What is no Status is a proxy's, or a 404 of a kind."""
    where = answer.url.path
    retry_after = _retry_after_seconds(answer.headers.get("Retry-After", ""))
    try:
        status = loaded(content)
    except ValueError:
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        text = content.decode(errors="replace").strip()[:200]
        status = {"message": text or answer.reason or ""}
        if answer.status == 404:
            return KindNotServed(
                "the API server does not serve this", where=where, status=404, todo="install its CRD"
            )
    return from_status(status, code=answer.status, where=where, retry_after_seconds=retry_after)


def _retry_after_seconds(text: str) -> float | None:
    """Seconds or an HTTP date (RFC 9110 §10.2.3); None for what is neither."""
    if text.strip().isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def decoded(content: bytes, path: str) -> Any:
    try:
        return loaded(content) if content else {}
    except ValueError as error:
        raise Interrupted(f"the answer is not JSON: {error}", where=path) from error
