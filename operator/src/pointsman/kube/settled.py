"""Which differences an apply does not change, so that it is not sent again and again.

The API server may fill in, inside a list without keys, what no table of ours knows (a custom resource's
defaults), or an admission policy may put a value of its own in place of ours. Then the answer to an apply
still differs from what was wanted. That is remembered for this very intent: another intent, another
difference or another object asks for a call again. After a restart it costs one call that changes nothing.
"""

import hashlib
import json
from collections import OrderedDict

from pointsman.kube.difference import Difference, differences
from pointsman.kube.objects import KubeObject, uid_of

_MOST = 10_000  # objects with such a difference; they are few


class Settled:
    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._left: OrderedDict[tuple[str, str, str], tuple[str, tuple[Difference, ...]]] = OrderedDict()

    def open_differences(
        self, live: KubeObject | None, wanted: KubeObject, manager: str, *, subresource: str = ""
    ) -> tuple[Difference, ...]:
        """The differences that an apply may change; empty where nothing needs to be written."""
        found = differences(live, wanted, manager, subresource=subresource)
        if not found or live is None:
            return found
        left = self._left.get((uid_of(live), manager, subresource))
        return () if left == (intent_digest(wanted), found) else found

    def applied(
        self, answer: KubeObject, wanted: KubeObject, manager: str, *, subresource: str = ""
    ) -> tuple[Difference, ...]:
        """Take in the answer to an apply, and give what it left different."""
        left = differences(answer, wanted, manager, subresource=subresource)
        key = (uid_of(answer), manager, subresource)
        self._left.pop(key, None)
        if left:
            self._left[key] = (intent_digest(wanted), left)
            if len(self._left) > self._most:
                self._left.popitem(last=False)
        return left


def intent_digest(wanted: KubeObject) -> str:
    """Short for what is wanted; the same for the same JSON."""
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
