"""Which differences an apply does not change, so that it is not sent again and again.

The API server may fill in, inside a list without keys, what no table of ours knows (a custom resource's
defaults), or an admission policy may put a value of its own in place of ours. Then the answer to an apply
still differs from what was wanted. That is remembered for this very intent: another intent, another
difference or another object asks for a call again. After a restart it costs one call that changes nothing.

An object that is as our own apply left it need not be looked at again while the same is wanted: its version
says so, and most looks at an object come from its own writes. Where only its status has changed, its content
says so.
"""

from collections import OrderedDict

from pointsman.json_text import dumped
from pointsman.kube.difference import Difference, differences
from pointsman.kube.made import intent_digest, is_of
from pointsman.kube.objects import (
    KubeObject,
    annotations_of,
    kind_of,
    metadata,
    resource_version_of,
    uid_of,
)
from pointsman.kube.packed import Packed

_NOT_CONTENT = frozenset({"apiVersion", "kind", "metadata", "status"})
_MOST = 10_000  # objects with such a difference; they are few
_MOST_REMEMBERED = 100_000  # objects whose last comparison is remembered: some 300 bytes each


class Settled:
    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._left: OrderedDict[tuple[str, str, str], tuple[str, tuple[Difference, ...]]] = OrderedDict()
        self._same: OrderedDict[tuple[str, str, str], tuple[str, str, int]] = OrderedDict()
        # What a call is under way for, or failed: the version that was looked at, intent, differences.
        self._asked: OrderedDict[tuple[str, str, str], tuple[str, str, tuple[Difference, ...]]]
        self._asked = OrderedDict()

    def open_differences(
        self, live: KubeObject | None, wanted: KubeObject, manager: str, *, subresource: str = ""
    ) -> tuple[Difference, ...]:
        """The differences that an apply may change; empty where nothing needs to be written."""
        if live is None:
            return differences(live, wanted, manager, subresource=subresource)
        key = (uid_of(live), manager, subresource)
        state = (resource_version_of(live), intent_digest(wanted))
        version, digest, seen = self._same.get(key, ("", "", 0))
        if state[0] and (version, digest) == state:
            return ()
        if digest == state[1] and seen and seen == _content(live, wanted, manager):
            self._remember(key, state, seen)
            return ()
        found = differences(live, wanted, manager, subresource=subresource)
        if found and self._left.get(key) != (state[1], found):
            self._asked[key] = (*state, found)
            self._asked.move_to_end(key)
            if len(self._asked) > self._most:
                self._asked.popitem(last=False)
            return found
        self._remember(key, state, 0 if subresource else _content(live, wanted, manager))
        return ()

    def applied(
        self, answer: KubeObject, wanted: KubeObject, manager: str, *, subresource: str = ""
    ) -> tuple[Difference, ...]:
        """Take in the answer to an apply, and give what is known that it left different.

        Of Kubernetes' own kinds nothing is expected to be: there it is only noticed when the next apply of
        the same changes nothing, which spares a comparison after each write.
        """
        key = (uid_of(answer), manager, subresource)
        state = (resource_version_of(answer), intent_digest(wanted))
        asked = self._asked.pop(key, None)
        left: tuple[Difference, ...] = ()
        if asked is not None and asked[:2] == state:
            left = asked[2]
        elif subresource or not kind_of(answer).is_kubernetes_own:
            left = differences(answer, wanted, manager, subresource=subresource)
        self._left.pop(key, None)
        if left:
            self._left[key] = (state[1], left)
            if len(self._left) > self._most:
                self._left.popitem(last=False)
        self._remember(key, state, 0 if subresource else _content(answer, wanted, manager))
        return left

    def _remember(self, key: tuple[str, str, str], state: tuple[str, str], seen: int) -> None:
        """The object in this version, and any with the same content, needs no write for this intent."""
        self._same.pop(key, None)
        self._same[key] = (*state, seen)
        if len(self._same) > _MOST_REMEMBERED:
            self._same.popitem(last=False)


def _content(live: KubeObject, wanted: KubeObject, manager: str) -> int:
    """Of a live object what decides, beside its status, whether it differs from what is wanted: a hash for
    this process. What of the metadata nobody wants, nobody looks at.
    """
    meta, notes = metadata(live), annotations_of(live)
    stated = [meta.get(name) for name in metadata(wanted) if name != "annotations"]
    noted = [notes.get(name) for name in annotations_of(wanted)]
    ours = [
        entry["fieldsV1"]
        if isinstance(entry.get("fieldsV1"), str)
        else dumped(entry.get("fieldsV1")).decode()
        for entry in meta.get("managedFields") or ()
        if is_of(entry.get("manager"), manager)
    ]
    members = [
        (name, (live.text(name) if isinstance(live, Packed) else None) or dumped(live[name]))
        for name in sorted(live)
        if name not in _NOT_CONTENT
    ]
    return hash((dumped(stated), dumped(noted), tuple(ours), tuple(members))) or 1
