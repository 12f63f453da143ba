"""What a deployment asks of its engine, held against what the catalogue knows of the engine.

True wherever the engine runs. What pods add to it is said in `workloads`, what nodes add in `placement`.
"""

from collections.abc import Iterator

from pointsman.api import Finding, ModelDeployment, Quantization, Task
from pointsman.api.findings import Severity
from pointsman.catalog.engines import EngineFacts, plain_flag
from pointsman.catalog.loading import Catalog
from pointsman.catalog.ownership import owned_argument, owned_variable
from pointsman.catalog.versions import in_range, version_order


def unmet_demands(deployment: ModelDeployment, catalogue: Catalog) -> Iterator[Finding]:
    """What the engine, in that version, cannot do, and what is passed to it although a field, or Pointsman
    itself, sets it; nothing for a hosted model.

    An error where the engine's facts are verified, else a warning.
    """
    engine = deployment.spec.engine
    if engine is None or deployment.spec.model is None:
        return
    asked = _Asked(deployment, catalogue)
    yield from asked.ownership()
    if (unreadable := asked.unreadable_version()) is not None:
        # Without a version nothing else can be said.
        yield unreadable
        return
    yield from asked.version()
    yield from asked.arguments()
    yield from asked.tasks()
    yield from asked.model()


def known_version(deployment: ModelDeployment, facts: EngineFacts) -> str | None:
    """The version whose facts count. None for an image of the user's: nobody knows what it holds, and it is
    taken for the newest.
    """
    engine = deployment.spec.engine
    return None if engine is None or engine.image is not None else engine.version or facts.version


def listed(names: tuple[str, ...]) -> str:
    """As a todo names them."""
    return ", ".join(str(name) for name in names)


def refusal(
    deployment: ModelDeployment, path: str, what: str, todo: str, severity: Severity = "error"
) -> Finding:
    """A finding of a deployment; its file and line are the caller's to add."""
    metadata = deployment.metadata
    return Finding(
        severity, path, what, todo,
        kind=deployment.kind, namespace=metadata.namespace, name=metadata.name,
    )  # fmt: skip


class _Asked:
    """One deployment's words against one engine's facts."""

    def __init__(self, deployment: ModelDeployment, catalogue: Catalog) -> None:
        model, engine = deployment.spec.model, deployment.spec.engine
        assert model is not None
        assert engine is not None
        self._deployment, self._catalogue = deployment, catalogue
        self._model, self._engine = model, engine
        self._facts = catalogue.engines[engine.name]
        self._known = known_version(deployment, self._facts)
        self._name = f"{engine.name} {self._known}" if self._known else str(engine.name)

    def ownership(self) -> Iterator[Finding]:
        engine = self._engine
        for index, argument in enumerate(engine.args):
            if (owner := owned_argument(engine.name, argument, self._catalogue)) is not None:
                what = f"{plain_flag(argument)} is set by Pointsman"
                yield refusal(self._deployment, f"spec.engine.args[{index}]", what, owner.advice)
        for index, variable in enumerate(engine.env):
            if (owner := owned_variable(engine.name, variable.name, self._catalogue)) is not None:
                what = f"{variable.name} is set by Pointsman"
                yield refusal(self._deployment, f"spec.engine.env[{index}]", what, owner.advice)

    def unreadable_version(self) -> Finding | None:
        try:
            version_order(self._engine.version or "0")
        except ValueError as error:
            todo = "write a version of the engine"
            return refusal(self._deployment, "spec.engine.version", str(error), todo)
        return None

    def version(self) -> Iterator[Finding]:
        stated, oldest = self._engine.version, self._facts.oldest
        if stated is not None and oldest is not None and not in_range(stated, oldest, None):
            what = f"{self._name} is older than what the catalogue knows"
            yield self._unmet("spec.engine.version", what, f"use {oldest} or later, or engine.image")

    def arguments(self) -> Iterator[Finding]:
        for index, argument in enumerate(self._engine.args):
            if (gone := self._facts.lifetime_of(argument, self._known)) is not None:
                what = f"{self._name} has no {plain_flag(argument)}"
                yield self._unmet(f"spec.engine.args[{index}]", what, gone.todo)

    def tasks(self) -> Iterator[Finding]:
        for index, task in enumerate(self._deployment.spec.tasks):
            path = f"spec.tasks[{index}]"
            if task not in self._facts.tasks:
                todo = f"use {listed(self._facts.tasks)}"
                yield self._unmet(path, f"{self._engine.name} cannot do {task}", todo)
            elif (gone := self._lifetime_of_task(task)) is not None:
                yield self._unmet(path, f"{self._name} cannot do {task}", gone)

    def model(self) -> Iterator[Finding]:
        model, launch = self._model, self._facts.launch
        if model.quantization is not None and (gone := self._quantization(model.quantization)) is not None:
            what = f"{self._name} cannot serve {model.quantization}"
            yield self._unmet("spec.model.quantization", what, gone)
        if model.context_length is not None and self._facts.context == "ofModel":
            what = f"{self._engine.name} takes its context length from the model"
            todo = "remove it: only the memory that placement counts follows it"
            yield refusal(self._deployment, "spec.model.contextLength", what, todo, severity="warning")
        if model.adapters and not launch.adapters:
            what = f"{self._engine.name} cannot serve adapters by their names"
            yield self._unmet("spec.model.adapters", what, "use vllm or sglang, or remove them")
        elif (
            model.adapters
            and self._known is not None
            and not in_range(self._known, launch.adapters_since, None)
        ):
            what = f"{self._name} cannot serve adapters by their names"
            todo = f"use {self._engine.name} {launch.adapters_since} or later"
            yield self._unmet("spec.model.adapters", what, todo)
        if len(model.served_names) > 1 and self._facts.served_names != "many":
            what = f"{self._engine.name} answers to one name"
            yield self._unmet("spec.model.servedNames", what, "keep one; a ModelRoute can give it more")
        if self._engine.chat_template and not launch.chat_template:
            what = f"{self._engine.name} takes no chat template"
            yield self._unmet("spec.engine.chatTemplate", what, "remove it")

    def _lifetime_of_task(self, task: Task) -> str | None:
        rows = (row for row in self._facts.lifetimes if task in row.tasks and not row.covers(self._known))
        return next((row.todo for row in rows), None)

    def _quantization(self, wanted: Quantization) -> str | None:
        """Why not, as what to do; None where the engine can."""
        if wanted not in self._facts.quantizations:
            return f"use {listed(self._facts.quantizations)}"
        rows = (
            row
            for row in self._facts.lifetimes
            if wanted in row.quantizations and not row.covers(self._known)
        )
        return next((row.todo for row in rows), None)

    def _unmet(self, path: str, what: str, todo: str) -> Finding:
        severity: Severity = "error" if self._facts.verified else "warning"
        return refusal(self._deployment, path, what, todo, severity)
