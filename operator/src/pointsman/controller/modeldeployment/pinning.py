"""Which commit the weights are of where the spec names a branch, a tag or nothing. Pure.

A name of the hub can move, and replicas of one deployment shall hold the same weights whenever they start. So
the commit is looked up once, when a rendering is made, and kept with it; `spec.refresh` takes today's.
"""

import re
from dataclasses import dataclass, replace

from pointsman.api import Model, ModelDeployment
from pointsman.workloads.rendering import Rendering

_COMMIT = re.compile(r"[0-9a-f]{40}")
_REPOSITORY = re.compile(r"hf://(?P<repository>[A-Za-z0-9._-]+/[A-Za-z0-9._-]+)(/.*)?")
_WHERE_NONE_IS_STATED = "main"


@dataclass(frozen=True, slots=True)
class HubName:
    """A name in a repository of the hub that can move: a branch or a tag. Asked with another `refresh` it is
    another question, to which what was said a moment ago is no answer.
    """

    repository: str
    name: str
    refresh: str = ""

    def __str__(self) -> str:
        return f"hf://{self.repository}@{self.name}"


@dataclass(frozen=True, slots=True)
class Pin:
    """What the hub says that a name is: a commit, or why it is not known."""

    name: HubName
    commit: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A name to look up. `is_urgent`: a rendering waits for the answer; otherwise it is wanted some time."""

    name: HubName
    is_urgent: bool


@dataclass(frozen=True, slots=True)
class WeightsRevision:
    """The revision to fetch, and the name that it was found by; "" for one that was taken as it is."""

    revision: str
    name: str = ""


def movable(deployment: ModelDeployment) -> HubName | None:
    """The name that the weights are stated by, None where it cannot move, or not on the hub."""
    model = deployment.spec.model
    found = _REPOSITORY.fullmatch(model.source) if model is not None else None
    if model is None or found is None or _COMMIT.fullmatch(model.revision or ""):
        return None
    return HubName(found["repository"], model.revision or _WHERE_NONE_IS_STATED, deployment.spec.refresh)


def is_pinned(deployment: ModelDeployment, rendering: Rendering) -> bool:
    """Whether all replicas of the rendering hold the same weights, as far as the hub's names go."""
    return movable(deployment) is None or commit_of(rendering) is not None


def commit_of(rendering: Rendering) -> str | None:
    """The commit that pods fetch, where it was looked up."""
    is_fetched = rendering.weights_name and not rendering.weights_later
    return rendering.weights_revision if is_fetched else None


def with_later(current: Rendering, name: HubName | None, pin: Pin | None) -> Rendering:
    """The rendering, with the commit that was found now: its pods stay, and the next ones have it."""
    if name is None or current.weights_name or pin is None or pin.name != name or not pin.commit:
        return current
    return replace(current, weights_name=str(name), weights_later=pin.commit)


def to_ask(deployment: ModelDeployment, current: Rendering | None) -> HubName | None:
    """The name whose commit is not known; None where one is stated, or found and still meant."""
    name = movable(deployment)
    return None if name is None or _is_meant(name, current) else name


def chosen(model: Model, name: HubName | None, current: Rendering | None, pin: Pin | None) -> WeightsRevision:
    """The revision of a rendering that is made now. A commit that was found stays while its name does, and
    also where a refresh cannot look: what is pinned is never let go.
    """
    if name is None:
        return WeightsRevision(model.revision or "")
    if pin is not None and pin.name == name and pin.commit and not _is_meant(name, current):
        return WeightsRevision(pin.commit, str(name))
    if current is not None and current.weights_name == str(name):
        return WeightsRevision(current.weights_later or current.weights_revision, str(name))
    return WeightsRevision(model.revision or "")


def _is_meant(name: HubName, current: Rendering | None) -> bool:
    """Whether a commit was found for just this name, and nobody has asked for that of today since."""
    return current is not None and (current.weights_name, current.refresh) == (str(name), name.refresh)
