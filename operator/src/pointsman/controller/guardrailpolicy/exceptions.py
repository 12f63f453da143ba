"""What is told of a policy's exceptions: which of them ended, and which end soon. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from pointsman.api.guardrailpolicy import ExceptionsStatus
from pointsman.controller.plan import Announcement
from pointsman.kube.objects import KubeObject, key_of
from pointsman.policy.exemptions import Exemption

_SOON = "ExceptionEndsSoon"
_EACH = 10
"""As many at once are told one by one: of one object an API server's client tells 25 events and then few."""


def ending_by_policy(policies: Iterable[KubeObject]) -> dict[str, float]:
    """How many exceptions of each policy end soon, by its status; of those that have any."""
    found = {}
    for policy in policies:
        ending = ((policy.get("status") or {}).get("exceptions") or {}).get("endingSoon")
        if ending:
            found[key_of(policy).name] = float(len(ending))
    return found


def announced(
    stated: Sequence[Exemption], before: ExceptionsStatus | None, now: ExceptionsStatus
) -> Iterator[Announcement]:
    """Of each once: the status remembers which were told, also for the next process."""
    if before is not None and now.expired > before.expired:
        yield Announcement("ExceptionEnded", f"{now.expired - before.expired} ended", is_warning=True)
    told = before.ending_soon if before is not None else ()
    ending = [one for one in stated if one.id in now.ending_soon and one.id not in told]
    ending.sort(key=lambda one: (one.until, one.id))
    if len(ending) > _EACH:
        names = ", ".join(one.id for one in ending)
        yield Announcement(_SOON, f"{len(ending)} exceptions end soon: {names}", is_warning=True)
        return
    for one in ending:
        reason = " ".join(one.reason.split())
        what = f"{one.id} ends at {one.until_text}, approved by {one.approved_by}: {reason}"
        yield Announcement(_SOON, what, is_warning=True)
