"""Envoy's words on what it refuses, fit for a log and a condition: it may quote a resource, keys and all."""

import re
from collections.abc import Iterable

from pointsman.api import Secret

# Where a field breaks a rule of its message, Envoy prints the message whole, after this word of protobuf's.
_QUOTED = re.compile(r"goo\.gle/debug\w+.*?(?=: Proto constraint validation failed|\Z)", re.DOTALL)
# Shorter values keep nothing secret, and might be part of any word.
_SHORTEST_VALUE = 6
_LONGEST_REASON = 2000


def legible(words: str, secrets: Iterable[Secret]) -> str:
    """One line, without the quoted resource and without any value of these Secrets."""
    text = _QUOTED.sub("…", words)
    if text.strip() == "…":
        # Envoy cuts its words at 4 KiB, and the quotation comes first.
        text = "a field breaks a rule of its message (which one, Envoy cut off)"
    values = {secret.value(key) or b"" for secret in secrets for key in secret.keys}
    for value in sorted(
        (value.decode("utf-8", "replace").strip() for value in values), key=len, reverse=True
    ):
        if len(value) >= _SHORTEST_VALUE:
            text = text.replace(value, "[redacted]")
    return " ".join(text.split())[:_LONGEST_REASON]
