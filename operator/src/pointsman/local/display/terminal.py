"""Lines for the person who runs `pointsman up`: one for each change of a thing, and a bar while weights
arrive.
"""

import errno
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from pointsman.api import GuardrailPolicy, ModelDeployment, ModelRoute, ObjectKey
from pointsman.api.meta import DEFAULT_NAMESPACE
from pointsman.api.verdicts import TRUE
from pointsman.local.engines.plan import Phase
from pointsman.local.files.judging import Judged
from pointsman.local.listening import Listen
from pointsman.local.placement import gigabytes
from pointsman.local.status.observed import DeploymentObserved, Stage
from pointsman.local.weights.fetcher import FetchProgress
from pointsman.local.weights.located import Weights
from pointsman.routing import Endpoint
from pointsman.routing.route_status import NO_TARGET_HAS_A_REPLICA, default_rule

GOOD, BAD, BUSY, GONE, WARNING = "✓", "✗", "…", "–", "!"
_COLOURS = {GOOD: "32", BAD: "31", BUSY: "33", GONE: "2", WARNING: "1;33"}
_SUBJECT_WIDTH = 22
_STATE_WIDTH = 22
_BAR_WIDTH = 20
_PLAIN_STEP_PERCENT = 10


# Names of files and words of engines may hold what a terminal acts upon.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Line:
    """One line: a mark, what it is about, what is said, and lines that belong to it."""

    mark: str
    subject: str
    text: str
    below: tuple[str, ...] = ()
    about: str = ""
    """What tells it from others with the same subject."""


class Terminal:
    """Prints each line about a thing once until something else is said about it.

    Never fails: a window that was closed, or a full disk under the output, must not end what serves.
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = sys.stdout if out is None else out
        self._is_terminal = self._out.isatty()
        self._has_colours = self._is_terminal and not os.environ.get("NO_COLOR")
        self._said: dict[str, Line] = {}
        self._bars: dict[ObjectKey, int] = {}
        self._bar_shown = False
        self._held: list[str] | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep lines back while something else is written in the middle of one."""
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            for text in held:
                self._print(text)

    def write(self, text: str) -> None:
        """Write a part of a line; only while lines are held back."""
        self._put(printable(text))

    def say(self, line: Line) -> None:
        """Print a line, unless it is what was said last about its subject."""
        about = line.about or line.subject
        former = self._said.get(about)
        if former is None or (former.mark, former.text) != (line.mark, line.text):
            self._said[about] = line
            self.print(line)

    def forget(self, subject: str) -> None:
        """The next line about it is printed whatever it says."""
        self._said.pop(subject, None)

    def print(self, line: Line) -> None:
        mark = f"\x1b[{_COLOURS[line.mark]}m{line.mark}\x1b[0m" if self._has_colours else line.mark
        said = f" {mark} {printable(f'{line.subject:<{_SUBJECT_WIDTH}} {line.text}')}".rstrip()
        self._print("\n".join((said, *(f"     {printable(below)}" for below in line.below))))

    def plain(self, text: str) -> None:
        """Print text without mark and subject."""
        self._print(printable(text))

    def _print(self, text: str) -> None:
        if self._held is not None:
            self._held.append(text)
            return
        self._put(f"{self._hidden_bar()}{text}\n")

    def _hidden_bar(self) -> str:
        shown, self._bar_shown = self._bar_shown, False
        return "\r\x1b[K" if shown else ""

    def _put(self, text: str) -> None:
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        try:
            self._out.write(text.encode(encoding, "backslashreplace").decode(encoding))
            self._out.flush()
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.EIO):
                # Nobody will read here again, and what Python still holds must not become an error at exit.
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())

    def progress(self, key: ObjectKey, progress: FetchProgress | None) -> None:
        """Show how far weights are: a bar that moves on a terminal, a line every ten percent elsewhere."""
        if progress is None:
            self._bars.pop(key, None)
            self._put(self._hidden_bar())
            return
        if self._held is not None:
            return
        percent = 100 * progress.done_bytes // progress.total_bytes if progress.total_bytes else 0
        if self._is_terminal:
            self._put(f"\r\x1b[K{bar_text(key, progress, percent)}")
            self._bar_shown = True
        elif percent >= self._bars.get(key, -_PLAIN_STEP_PERCENT) + _PLAIN_STEP_PERCENT:
            self._bars[key] = percent - percent % _PLAIN_STEP_PERCENT
            self.print(Line(BUSY, "weights", plain_text(key, progress, percent)))


def printable(text: str) -> str:
    """The text without what a terminal would act upon; line ends and tabs stay."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def bar_text(key: ObjectKey, progress: FetchProgress, percent: int) -> str:
    filled = "━" * (percent * _BAR_WIDTH // 100)
    return (
        f" {BUSY} {'weights':<{_SUBJECT_WIDTH}} {filled:<{_BAR_WIDTH}} {plain_text(key, progress, percent)}"
    )


def plain_text(key: ObjectKey, progress: FetchProgress, percent: int) -> str:
    if not progress.total_bytes:
        return f"{name_of(key)}: {progress.stage}"
    return f"{name_of(key)}: {progress.stage} {percent} % of {gigabytes(progress.total_bytes)}"


def name_of(key: ObjectKey) -> str:
    """The name as people say it: without the default namespace."""
    return key.name if key.namespace == DEFAULT_NAMESPACE else str(key)


def weights_line(weights: Weights) -> Line:
    """What was found where, and under which terms."""
    terms = f" (terms: {weights.terms})" if weights.terms else ""
    name = weights.path.name.removesuffix(".gguf")
    return Line(GOOD, "weights", f"{name}, {gigabytes(weights.size_bytes)}, from {weights.origin}{terms}")


def deployment_line(
    deployment: ModelDeployment, observed: DeploymentObserved, endpoints: tuple[Endpoint, ...]
) -> Line | None:
    """What there is to say about a deployment now, None while nothing is settled."""
    subject = name_of(deployment.key)
    if deployment.spec.hosted is not None:
        return _hosted_line(subject, deployment, observed)
    for step in (observed.weights, observed.placed):
        if step.stage is Stage.FAILED:
            return Line(BAD, subject, step.message)
    current = [view for view in observed.replicas if view.spec_hash == observed.wanted_hash]
    troubled = next((view for view in current if view.trouble is not None), None)
    if troubled is not None and troubled.trouble is not None:
        again = "" if troubled.phase is Phase.SILENT else "; it is tried again"
        return Line(BAD, subject, f"{troubled.trouble.message}{again}", troubled.trouble.lines)
    ready = [view for view in observed.replicas if view.phase is Phase.READY]
    settled = (
        not observed.is_preparing
        and len(ready) == deployment.spec.replicas
        and len(current) == len(observed.replicas)
    )
    if not settled or not observed.wanted_hash:
        return None
    assert deployment.spec.engine is not None
    state = f"{len(ready)} {'replica' if len(ready) == 1 else 'replicas'} ready"
    return Line(
        GOOD,
        subject,
        f"{state:<{_STATE_WIDTH}}  {deployment.spec.engine.name:<10}  {addresses(endpoints)}".rstrip(),
    )


def _hosted_line(subject: str, deployment: ModelDeployment, observed: DeploymentObserved) -> Line:
    hosted = deployment.spec.hosted
    assert hosted is not None
    if observed.hosted_trouble:
        return Line(BAD, subject, observed.hosted_trouble)
    return Line(GOOD, subject, f"{'hosted':<{_STATE_WIDTH}}  {hosted.provider:<10}  {hosted.base_url}")


def leaving_line(key: ObjectKey, *, is_hosted_now: bool) -> Line:
    """That nothing of a deployment is to run here any more."""
    if is_hosted_now:
        text = "is hosted now; its engines finish what they were asked, then end"
    else:
        text = "removed from the files; finishes what it was asked, then ends"
    return Line(GONE, name_of(key), text, about=_leaving(key))


def left_line(key: ObjectKey) -> Line:
    """That the last engine of a deployment that left has ended."""
    return Line(GONE, name_of(key), "its engines have ended", about=_leaving(key))


def _leaving(key: ObjectKey) -> str:
    # Not the name alone: what is hosted now has been said of that already, and stays said.
    return f"{name_of(key)} leaves"


def addresses(endpoints: tuple[Endpoint, ...]) -> str:
    """Endpoints with the address said once: `127.0.0.1:41001, :41002`."""
    texts: list[str] = []
    said = ""
    for endpoint in endpoints:
        texts.append(
            f":{endpoint.port}" if endpoint.address == said else f"{endpoint.address}:{endpoint.port}"
        )
        said = endpoint.address
    return ", ".join(texts)


def route_subject(key: ObjectKey) -> str:
    return f"route {name_of(key)}"


def route_line(route: ModelRoute, conditions: Mapping[str, tuple[str, str]], url: str) -> Line | None:
    """What there is to say about a route; `conditions` has status and message by type."""
    subject = route_subject(route.key)
    for type_ in ("Accepted", "ResolvedRefs"):
        status, message = conditions.get(type_, (TRUE, ""))
        if status == "False":
            return Line(BAD, subject, message)
    status, message = conditions.get("Ready", ("Unknown", ""))
    if status == "False" and message == NO_TARGET_HAS_A_REPLICA:
        return Line(BAD, subject, message)
    if status != "True":
        return None
    return Line(GOOD, subject, f"{url}   {chain_text(route)}")


def anonymous_line(route: ModelRoute, listen: Listen) -> Line | None:
    """A warning where more than this machine reaches a route that asks for no key, None elsewhere."""
    authentication = route.spec.authentication
    if listen.is_only_here or authentication is None or not authentication.anonymous:
        return None
    subject = route_subject(route.key)
    return Line(
        WARNING,
        subject,
        f"anyone who reaches {listen} may use it: it is anonymous and this address is not this machine's "
        f"alone; use authentication.apiKeys, or listen on 127.0.0.1",
        about=f"{subject} anonymous",
    )


def policy_line(policy: GuardrailPolicy, judged: Judged) -> Line:
    """How many rules a policy holds, and how often they are broken."""
    total = judged.violations.total
    broken = f", {total} violation{'s' if total != 1 else ''}" if total else ""
    text = f"{policy.spec.mode}, {judged.rules} rule{'s' if judged.rules != 1 else ''}{broken}"
    return Line(GOOD if judged.compiled.is_good else BAD, policy_subject(policy.key), text)


def policy_subject(key: ObjectKey) -> str:
    return f"policy {key.name}"


def chain_text(route: ModelRoute) -> str:
    """The default rule: `chat-primary 100 %  →  chat-backup`."""
    rule = default_rule(route)
    total = sum(target.weight for target in rule.targets)
    shares = ", ".join(
        f"{target.label} {100 * target.weight / total:.3g} %" for target in rule.targets if target.weight
    )
    fallbacks = rule.fallback.targets if rule.fallback is not None else ()
    return "  →  ".join((shares, *(target.label for target in fallbacks)))
