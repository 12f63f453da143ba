"""Which native objects somebody else changed or deleted, and who. Pure.

What stood as it is wanted and does no longer, while the same is wanted, was changed by somebody. Who wrote a
field of its spec is in its managed fields until we put it back; who took a field away leaves no trace there,
and who deletes an object none at all: the API server's audit log alone knows them.
"""

from collections.abc import Iterable, Iterator, Mapping

from pointsman.api import ObjectKey
from pointsman.controller.acting import MANAGER
from pointsman.controller.plan import Announcement
from pointsman.kube.difference import differences, keep_own_fields
from pointsman.kube.made import intent_digest, is_of
from pointsman.kube.objects import Kind, KubeObject, key_of, kind_of, metadata

Place = tuple[Kind, ObjectKey]
Standing = Mapping[Place, str]
"""Native objects that stood as they were wanted, each with the digest of what that was."""

_SPEC = "f:spec"


def standing(wanted: Iterable[KubeObject], there: Mapping[Place, KubeObject], before: Standing) -> Standing:
    """What stands now, and what stood before and is wanted still."""
    found = {}
    for one in wanted:
        place, digest = _place(one), intent_digest(one)
        live = there.get(place)
        stood = before.get(place) == digest
        if stood or (live is not None and not differences(live, one, MANAGER)):
            found[place] = digest
    return found


def changed_by_hand(
    wanted: Iterable[KubeObject], there: Mapping[Place, KubeObject], stood: Standing
) -> Iterator[Announcement]:
    """What to say of each that is about to be put back."""
    for one in wanted:
        place = _place(one)
        live = there.get(place)
        before = stood.get(place) == intent_digest(one)
        if live is None:
            if before:
                yield _put_back(one, "was deleted and is made again")
            continue
        others = writers(live)
        if (before or others) and differences(live, one, MANAGER):
            yield _put_back(one, f"was changed by {' and '.join(others) or 'somebody'} and is put back")


def writers(live: KubeObject) -> tuple[str, ...]:
    """Who beside us wrote what is in the spec, by the names of their field managers."""
    found = {
        str(entry.get("manager", "")): None
        for entry in metadata(live).get("managedFields") or ()
        if not is_of(entry.get("manager"), MANAGER)
        and not entry.get("subresource")
        and _SPEC in (entry.get("fieldsV1") or {})
    }
    return tuple(sorted(found))


def keep_writers(obj: KubeObject) -> KubeObject:
    """The object with our managed fields, and of others that they wrote in the spec."""
    kept = keep_own_fields(obj, frozenset({MANAGER}))
    others = [{"manager": name, "fieldsV1": _SPEC} for name in writers(obj)]
    if not others:
        return kept
    meta = metadata(kept)
    return {**kept, "metadata": {**meta, "managedFields": [*(meta.get("managedFields") or ()), *others]}}


def _put_back(wanted: KubeObject, what: str) -> Announcement:
    return Announcement("PutBack", f"{kind_of(wanted).kind} {key_of(wanted).name} {what}", is_warning=True)


def _place(native: KubeObject) -> Place:
    return kind_of(native), key_of(native)
