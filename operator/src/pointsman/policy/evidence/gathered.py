"""The pods of a deployment as entries of a record have them.

Pods that a controller made of one template, and of which a policy says the same, are one entry, however many
there are. A pod that nobody's controller made is one by itself. Where something writes into each pod what its
template does not say, all pods of that template are one entry, which does not name each.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pointsman.policy.evidence.canonical import digest
from pointsman.policy.evidence.judged import Judged, Object
from pointsman.policy.evidence.pods import BY_HAND, KIND, OF_A_TEMPLATE
from pointsman.policy.verdicts import Outcome

MOST_NAMED = 16
"""Entries about the pods of one template. As Kubernetes makes them few differ: by what was added to one for
debugging, or by a volume of each where they are numbered.
"""
_EACH_ITS_OWN = "*"
_SHOWN_DIGITS = 12
_WORST = (Outcome.FAIL, Outcome.ERROR, Outcome.EXEMPT, Outcome.PASS)

Made = tuple[str, str]
"""The kind of the controller that made a pod, and which template it says that it was."""


@dataclass(frozen=True)
class PodLooked:
    """What one policy says of pods that are the same to it. `uid` is that of one by itself."""

    name: str
    seen: Object
    found: tuple[Judged, ...]
    by: str
    """The kind of the controller that made them."""
    uid: str = ""
    unnamed: int = 0
    """How many of them differ and are named by no entry; then it is the worst that each rule says of one."""


@dataclass(frozen=True)
class JudgedPod:
    """One pod, and what one policy says of it."""

    name: str
    uid: str
    by: str
    revision: str
    template: str
    found: tuple[Judged, ...]

    @property
    def made(self) -> Made:
        return self.by, self.revision

    def says(self) -> tuple[Any, ...]:
        return tuple(
            (one.verdict.rule.id, one.applies, one.verdict.outcome.value, one.verdict.message, _excepted(one))
            for one in self.found
        )


class Variety:
    """How many entries the pods of each template of a deployment came to, for one policy."""

    def __init__(self) -> None:
        self._ways: dict[Made, set[int]] = {}
        """Hashes for this process, one more than are named."""

    def saw(self, pods: Collection[JudgedPod]) -> None:
        """These are there by now. Of a template that has none any more nothing is kept, but where no pod of a
        controller is there: those of the last one may return.
        """
        made = {pod.made for pod in pods if pod.by}
        if made:
            self._ways = {one: ways for one, ways in self._ways.items() if one in made}
        for pod in pods:
            ways = self._ways.setdefault(pod.made, set()) if pod.by else set()
            if len(ways) <= MOST_NAMED:
                ways.add(hash((pod.template, pod.says())))

    @property
    def unlike(self) -> Collection[Made]:
        """The templates of which each pod may be another: more were seen by and by than are named."""
        return {one for one, ways in self._ways.items() if len(ways) > MOST_NAMED}


def _excepted(one: Judged) -> str:
    return one.verdict.exemption.id if one.verdict.exemption is not None else ""


def gathered(
    namespace: str, deployment: str, pods: Iterable[JudgedPod], unlike: Collection[Made]
) -> Sequence[PodLooked]:
    """The pods of one deployment as entries have them. Where pods of one template are not the same to the
    policy, what is said of them is in the name too. Those of `unlike` are one entry each.
    """
    found: list[PodLooked] = []
    templates: dict[str, dict[tuple[Any, ...], JudgedPod]] = {}
    many: dict[Made, list[JudgedPod]] = {}
    for pod in pods:
        if not pod.by:
            found.append(_looked(namespace, f"{deployment}{BY_HAND}{pod.name}", pod, pod.uid))
        elif pod.made in unlike:
            many.setdefault(pod.made, []).append(pod)
        else:
            templates.setdefault(pod.template, {}).setdefault(pod.says(), pod)
    for template, ways in templates.items():
        for says, pod in ways.items():
            name = f"{deployment}{OF_A_TEMPLATE}{template[:_SHOWN_DIGITS]}"
            if len(ways) > 1:
                name += f"-{digest([list(one) for one in says])[:_SHOWN_DIGITS]}"
            found.append(_looked(namespace, name, pod))
    for (by, revision), mine in many.items():
        name = f"{deployment}{OF_A_TEMPLATE}{_EACH_ITS_OWN}{'-'.join(filter(None, (by, revision)))}"
        found.append(_of_many(Object(KIND, namespace, name, ""), mine))
    return sorted(found, key=lambda one: one.name)


def _looked(namespace: str, name: str, pod: JudgedPod, uid: str = "") -> PodLooked:
    return PodLooked(name, Object(KIND, namespace, name, pod.template), pod.found, pod.by, uid)


def _of_many(seen: Object, pods: Sequence[JudgedPod]) -> PodLooked:
    """Without what a message says of a single pod, so that it stays the same while they come and go."""
    by_rule: dict[str, list[Judged]] = {}
    for pod in pods:
        for one in pod.found:
            by_rule.setdefault(one.verdict.rule.id, []).append(one)
    found = []
    for every in by_rule.values():
        verdict = (worst := min(every, key=_badness)).verdict
        message = verdict.rule.message if verdict.message else ""
        found.append(replace(worst, object=seen, verdict=replace(verdict, message=message)))
    unnamed = len({(one.template, one.says()) for one in pods})
    return PodLooked(seen.name, seen, tuple(found), pods[0].by, unnamed=unnamed)


def _badness(one: Judged) -> tuple[int, bool, str]:
    """The least is the worst."""
    return _WORST.index(one.verdict.outcome), not one.applies, _excepted(one)
