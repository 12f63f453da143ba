"""What of a deployment cannot become pods: what its engine cannot do (`catalog`), what no nodes can give
(`placement`), and what its pods cannot be.
"""

from collections.abc import Iterator

from pointsman.api import Finding, FleetSettings, ModelDeployment
from pointsman.api.meta import GROUP
from pointsman.catalog import Catalog, EngineFacts, known_version, refusal, unmet_demands
from pointsman.catalog.adapters import in_the_way
from pointsman.catalog.versions import in_range
from pointsman.placement import refusals as placement_refusals
from pointsman.workloads.weights import file_of, scheme_of

_OUR_VOLUMES = frozenset({"cache", "tmp", "shm", "weights", "source", "files"})
_RECOMMENDED = "app.kubernetes.io/"


def refusals(deployment: ModelDeployment, fleet: FleetSettings | None, catalogue: Catalog) -> list[Finding]:
    """Every reason not to render it, as an error with its field and what to do, and as a warning what will
    surprise; empty for a hosted model. Without a fleet, nothing is said that its settings decide.
    """
    demands = list(unmet_demands(deployment, catalogue))
    if deployment.spec.engine is None or deployment.spec.model is None:
        return demands
    if any(one.path == "spec.engine.version" and one.is_error for one in demands):
        # What holds for a version cannot be said.
        return demands
    said = _Said(deployment, catalogue)
    of_pods = [*said.tasks(), *said.model(), *said.hardware(), *said.overlay()]
    found = demands
    for more in (of_pods, placement_refusals(deployment, fleet, catalogue)):
        # Of one field, the first word is enough.
        told = {finding.path for finding in found if finding.is_error}
        found = [*found, *(finding for finding in more if finding.path not in told)]
    return found


class _Said:
    """One deployment's words against one engine's facts."""

    def __init__(self, deployment: ModelDeployment, catalogue: Catalog) -> None:
        model, engine = deployment.spec.model, deployment.spec.engine
        assert model is not None
        assert engine is not None
        self._deployment, self._catalogue = deployment, catalogue
        self._model, self._engine = model, engine
        self._facts: EngineFacts = catalogue.engines[engine.name]
        self._known = known_version(deployment, self._facts)
        self._name = f"{engine.name} {self._known}" if self._known else str(engine.name)

    def tasks(self) -> Iterator[Finding]:
        """What the engine can do and its published images cannot."""
        if self._engine.image is not None:
            return
        for index, task in enumerate(self._deployment.spec.tasks):
            for part in self._facts.missing_parts:
                if part.task is task:
                    what = f"the image of {self._engine.name} cannot do {task}"
                    yield refusal(self._deployment, f"spec.tasks[{index}]", what, part.todo)
        if not self._has_image_for_its_tasks():
            what = f"no image of {self._engine.name} does all of these"
            yield refusal(self._deployment, "spec.tasks", what, "write one ModelDeployment for each")

    def model(self) -> Iterator[Finding]:
        if self._engine.name == "triton" and "/" in self._deployment.served_names[0]:
            what = "triton takes the name for a folder, which has no slash"
            todo = "state a name without a slash"
            yield refusal(self._deployment, "spec.model.servedNames", what, todo)
        for index, adapter in enumerate(self._model.adapters):
            if adapter.name in self._deployment.served_names:
                what = f'"{adapter.name}" is a name of the model itself, for which the engine takes it'
                path = f"spec.model.adapters[{index}].name"
                yield refusal(self._deployment, path, what, "choose another name")
        if self._model.adapters:
            for index in in_the_way(self._deployment, self._facts):
                path = f"spec.engine.args[{index}]"
                what = "with it no adapter comes into a running pod: another list of them replaces the pods"
                todo = "leave it out where the adapters change often"
                yield refusal(self._deployment, path, what, todo, severity="warning")
        yield from self._source(self._model.source)
        yield from self._moving_revision(self._model.source, self._model.revision)

    def _source(self, source: str) -> Iterator[Finding]:
        scheme, file, takes = scheme_of(source), file_of(source), self._facts.launch.weights
        path = "spec.model.source"
        if takes == "folder" and (file or scheme in ("https", "package")):
            what = f"{self._engine.name} takes a folder, and this is one file"
            yield refusal(self._deployment, path, what, "name the repository or folder that holds it")
        elif takes == "file" and not file and scheme in ("pvc", "oci"):
            what = f"{self._engine.name} takes one file, and a {scheme}:// source is not searched for it"
            todo = "write pvc://CLAIM/FILE" if scheme == "pvc" else "write oci://IMAGE#FILE"
            yield refusal(self._deployment, path, what, todo)

    def _moving_revision(self, source: str, revision: str | None) -> Iterator[Finding]:
        """What the spec names should be the same tomorrow, and for replicas whenever they start."""
        path, what = "spec.model.revision", "pods that start later may get other weights"
        if scheme_of(source) == "hf" and revision in (None, "main", "master"):
            what = "the commit is the one of the day on which pods are first made"
            yield refusal(
                self._deployment, path, what, "state a commit of the repository", severity="warning"
            )
        elif scheme_of(source) == "oci" and "@sha256:" not in source and "sha256:" not in (revision or ""):
            yield refusal(self._deployment, path, what, "state the image's digest", severity="warning")

    def hardware(self) -> Iterator[Finding]:
        hardware, launch = self._deployment.spec.hardware, self._facts.launch
        if hardware is None:
            return
        since = launch.multi_node_since
        if hardware.nodes > 1 and since is None:
            what = f"{self._engine.name} cannot span nodes"
            yield refusal(self._deployment, "spec.hardware.nodes", what, "write 1, or use vllm or sglang")
        elif hardware.nodes > 1 and self._known is not None and not in_range(self._known, since, None):
            what = f"{self._name} cannot span nodes"
            yield refusal(
                self._deployment, "spec.hardware.nodes", what, f"use {self._engine.name} {since} or later"
            )

    def overlay(self) -> Iterator[Finding]:
        overlay = self._deployment.spec.template
        if overlay is None:
            return
        for place, mapping in (("labels", overlay.labels), ("annotations", overlay.annotations)):
            for key in mapping:
                if key.startswith(f"{GROUP}/") or (place == "labels" and key.startswith(_RECOMMENDED)):
                    yield refusal(
                        self._deployment, f"spec.template.{place}", f"{key} is set by Pointsman", "remove it"
                    )
        names = [volume.get("name") for volume in overlay.volumes]
        for index, name in enumerate(names):
            path = f"spec.template.volumes[{index}]"
            if not isinstance(name, str) or not name:
                yield refusal(self._deployment, path, "the volume has no name", "state name")
            elif name in _OUR_VOLUMES or name.startswith("adapter-") or name in names[:index]:
                yield refusal(
                    self._deployment, path, f"another volume is called {name}", "choose another name"
                )
        # An engine of the user's own says by them what it needs.
        resources = overlay.resources if self._facts.images else None
        ours = {accelerator.resource for accelerator in self._catalogue.accelerators.values()}
        for place in ("requests", "limits"):
            for key in getattr(resources, place, {}):
                if key in ours:
                    path = f"spec.template.resources.{place}"
                    yield refusal(self._deployment, path, f"{key} is set by Pointsman", "use spec.hardware")

    def _has_image_for_its_tasks(self) -> bool:
        """Whether one image does all the tasks, as far as there are images for certain tasks."""
        tasks, images = set(self._deployment.spec.tasks), self._facts.images
        special = {task for image in images for task in image.tasks} & tasks
        if self._engine.image is not None or not special or not tasks <= set(self._facts.tasks):
            return True
        return any(tasks <= set(image.tasks) for image in images)
