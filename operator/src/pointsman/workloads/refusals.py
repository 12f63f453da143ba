"""What a deployment asks of its engine that the engine, in that version, cannot do or must not be told."""

from collections.abc import Iterator

from pointsman.api import Finding, ModelDeployment, Quantization, Task
from pointsman.api.findings import Severity
from pointsman.api.meta import GROUP
from pointsman.catalog import Catalog, EngineFacts, owned_argument, owned_variable, plain_flag
from pointsman.catalog.versions import in_range, version_order
from pointsman.workloads.weights import file_of, scheme_of

_OUR_VOLUMES = frozenset({"cache", "tmp", "shm", "weights", "source", "files"})
_RECOMMENDED = "app.kubernetes.io/"


def refusals(deployment: ModelDeployment, catalogue: Catalog) -> list[Finding]:
    """Every reason not to render it, as an error with its field and what to do, and as a warning what will
    surprise; empty for a hosted model.
    """
    engine = deployment.spec.engine
    if engine is None or deployment.spec.model is None:
        return []
    facts = catalogue.engines[engine.name]
    said = _Said(deployment, facts)
    if (unreadable := said.unreadable_version()) is not None:
        return [unreadable]
    return [
        *said.arguments(catalogue),
        *said.version(),
        *said.tasks(),
        *said.model(),
        *said.hardware(),
        *said.overlay(catalogue),
    ]


class _Said:
    """One deployment's words against one engine's facts."""

    def __init__(self, deployment: ModelDeployment, facts: EngineFacts) -> None:
        model, engine = deployment.spec.model, deployment.spec.engine
        assert model is not None
        assert engine is not None
        self._deployment, self._facts = deployment, facts
        self._model, self._engine = model, engine
        self._version = engine.version or facts.version
        readable = engine.image is None and self._version is not None
        # Nobody knows what an image of the user's holds: it is taken for the newest.
        self._known = self._version if readable else None
        self._name = f"{engine.name} {self._known}" if self._known else str(engine.name)

    def arguments(self, catalogue: Catalog) -> Iterator[Finding]:
        name = self._engine.name
        for index, argument in enumerate(self._engine.args):
            path = f"spec.engine.args[{index}]"
            if (owner := owned_argument(name, argument, catalogue)) is not None:
                yield self._finding(path, f"{plain_flag(argument)} is set by Pointsman", owner.advice)
            elif (gone := self._facts.lifetime_of(argument, self._known)) is not None:
                yield self._finding(path, f"{self._name} has no {plain_flag(argument)}", gone.todo)
        for index, variable in enumerate(self._engine.env):
            if (owner := owned_variable(name, variable.name, catalogue)) is not None:
                path = f"spec.engine.env[{index}]"
                yield self._finding(path, f"{variable.name} is set by Pointsman", owner.advice)

    def unreadable_version(self) -> Finding | None:
        """Without a version nothing else can be said."""
        try:
            version_order(self._engine.version or "0")
        except ValueError as error:
            return self._finding("spec.engine.version", str(error), "write a version of the engine")
        return None

    def version(self) -> Iterator[Finding]:
        stated, oldest = self._engine.version, self._facts.oldest
        if stated is not None and oldest is not None and not in_range(stated, oldest, None):
            what = f"{self._name} is older than what the catalogue knows"
            yield self._finding("spec.engine.version", what, f"use {oldest} or later, or engine.image")

    def tasks(self) -> Iterator[Finding]:
        facts = self._facts
        for index, task in enumerate(self._deployment.spec.tasks):
            path = f"spec.tasks[{index}]"
            if task not in facts.tasks:
                yield self._finding(
                    path, f"{self._engine.name} cannot do {task}", f"use {_listed(facts.tasks)}"
                )
            elif (gone := self._lifetime_of_task(task)) is not None:
                yield self._finding(path, f"{self._name} cannot do {task}", gone)
            elif self._engine.image is None:
                yield from (
                    self._finding(path, f"the image of {self._engine.name} cannot do {task}", part.todo)
                    for part in facts.missing_parts
                    if part.task is task
                )
        if not self._has_image_for_its_tasks():
            what = f"no image of {self._engine.name} does all of these"
            yield self._finding("spec.tasks", what, "write one ModelDeployment for each")

    def model(self) -> Iterator[Finding]:
        model, launch = self._model, self._facts.launch
        if model.quantization is not None and (gone := self._quantization(model.quantization)) is not None:
            what = f"{self._name} cannot serve {model.quantization}"
            yield self._finding("spec.model.quantization", what, gone)
        if model.adapters and not launch.adapters:
            what = f"{self._engine.name} cannot serve adapters by their names"
            yield self._finding("spec.model.adapters", what, "use vllm or sglang, or remove them")
        if len(model.served_names) > 1 and self._facts.served_names != "many":
            what = f"{self._engine.name} answers to one name"
            todo = "keep one; a ModelRoute can give it more"
            yield self._finding("spec.model.servedNames", what, todo)
        if self._engine.name == "triton" and "/" in self._deployment.served_names[0]:
            what = "triton takes the name for a folder, which has no slash"
            yield self._finding("spec.model.servedNames", what, "state a name without a slash")
        if self._engine.chat_template and not launch.chat_template:
            what = f"{self._engine.name} takes no chat template"
            yield self._finding("spec.engine.chatTemplate", what, "remove it")
        yield from self._source(model.source)
        yield from self._moving_revision(model.source, model.revision)

    def _source(self, source: str) -> Iterator[Finding]:
        scheme, file, takes = scheme_of(source), file_of(source), self._facts.launch.weights
        path = "spec.model.source"
        if takes == "folder" and (file or scheme == "https"):
            what = f"{self._engine.name} takes a folder, and this is one file"
            yield self._finding(path, what, "name the repository or folder that holds it")
        elif takes == "file" and not file and scheme in ("pvc", "oci"):
            what = f"{self._engine.name} takes one file, and a {scheme}:// source is not searched for it"
            todo = "write pvc://CLAIM/FILE" if scheme == "pvc" else "write oci://IMAGE#FILE"
            yield self._finding(path, what, todo)

    def _moving_revision(self, source: str, revision: str | None) -> Iterator[Finding]:
        """Replicas of one deployment should hold the same weights, whenever they start."""
        path, what = "spec.model.revision", "pods that start later may get other weights"
        if scheme_of(source) == "hf" and revision in (None, "main", "master"):
            yield self._finding(path, what, "state a commit of the repository", severity="warning")
        elif scheme_of(source) == "oci" and "@sha256:" not in source and "sha256:" not in (revision or ""):
            yield self._finding(path, what, "state the image's digest", severity="warning")

    def hardware(self) -> Iterator[Finding]:
        hardware, launch = self._deployment.spec.hardware, self._facts.launch
        if hardware is None:
            return
        since = launch.multi_node_since
        if hardware.nodes > 1 and since is None:
            what = f"{self._engine.name} cannot span nodes"
            yield self._finding("spec.hardware.nodes", what, "write 1, or use vllm or sglang")
        elif hardware.nodes > 1 and self._known is not None and not in_range(self._known, since, None):
            what = f"{self._name} cannot span nodes"
            yield self._finding("spec.hardware.nodes", what, f"use {self._engine.name} {since} or later")

    def overlay(self, catalogue: Catalog) -> Iterator[Finding]:
        overlay = self._deployment.spec.template
        if overlay is None:
            return
        for place, mapping in (("labels", overlay.labels), ("annotations", overlay.annotations)):
            for key in mapping:
                if key.startswith(f"{GROUP}/") or (place == "labels" and key.startswith(_RECOMMENDED)):
                    yield self._finding(f"spec.template.{place}", f"{key} is set by Pointsman", "remove it")
        names = [volume.get("name") for volume in overlay.volumes]
        for index, name in enumerate(names):
            path = f"spec.template.volumes[{index}]"
            if not isinstance(name, str) or not name:
                yield self._finding(path, "the volume has no name", "state name")
            elif name in _OUR_VOLUMES or name.startswith("adapter-") or name in names[:index]:
                yield self._finding(path, f"another volume is called {name}", "choose another name")
        # An engine of the user's own says by them what it needs.
        resources = overlay.resources if self._facts.images else None
        ours = {accelerator.resource for accelerator in catalogue.accelerators.values()}
        for place in ("requests", "limits"):
            for key in getattr(resources, place, {}):
                if key in ours:
                    path = f"spec.template.resources.{place}"
                    yield self._finding(path, f"{key} is set by Pointsman", "use spec.hardware")

    def _lifetime_of_task(self, task: Task) -> str | None:
        rows = (row for row in self._facts.lifetimes if task in row.tasks and not row.covers(self._known))
        return next((row.todo for row in rows), None)

    def _quantization(self, wanted: Quantization) -> str | None:
        """Why not, as what to do; None where the engine can."""
        if wanted not in self._facts.quantizations:
            return f"use {_listed(self._facts.quantizations)}"
        rows = (
            row
            for row in self._facts.lifetimes
            if wanted in row.quantizations and not row.covers(self._known)
        )
        return next((row.todo for row in rows), None)

    def _has_image_for_its_tasks(self) -> bool:
        """Whether one image does all the tasks, as far as there are images for certain tasks."""
        tasks, images = set(self._deployment.spec.tasks), self._facts.images
        special = {task for image in images for task in image.tasks} & tasks
        if self._engine.image is not None or not special or not tasks <= set(self._facts.tasks):
            return True
        return any(tasks <= set(image.tasks) for image in images)

    def _finding(self, path: str, what: str, todo: str, *, severity: Severity = "error") -> Finding:
        metadata = self._deployment.metadata
        return Finding(
            severity, path, what, todo,
            kind=self._deployment.kind, namespace=metadata.namespace, name=metadata.name,
        )  # fmt: skip


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(str(name) for name in names)
