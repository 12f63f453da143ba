"""What `up`, or the operator, finds in files only once it runs them, asked of the same code beforehand."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pointsman.api import EngineName, Finding, FleetSettings, Located, ModelDeployment, Secret, Stated
from pointsman.api.checks import Mode
from pointsman.catalog import refusal, shipped_catalog, unmet_demands
from pointsman.errors import PointsmanError
from pointsman.local.engines.llamacpp_flags import read_arguments
from pointsman.local.files.secrets import resolve
from pointsman.local.weights.source import parse_source
from pointsman.workloads import refusals


@dataclass(frozen=True)
class Beforehand:
    """For which mode, and what is known of the place: the variables of this process, and the fleet settings
    where a file states them.
    """

    mode: Mode
    environment: Mapping[str, str]
    fleet: FleetSettings | None = None

    def found(self, located: Located[Stated], told: Collection[str]) -> Iterator[Finding]:
        """What is wrong with one object, but not of fields that were `told` to be wrong already."""
        match located.resource:
            case Secret() as secret if self.mode != "cluster":
                # Where nobody says that local mode is meant, a warning: a machine that only checks has no
                # keys.
                stated = Located(secret, located.file, located.document)
                for finding in resolve(stated, self.environment).findings:
                    yield finding if self.mode == "local" else replace(finding, severity="warning")
            case ModelDeployment() as deployment:
                for finding in self._refused(deployment):
                    if finding.path not in told:
                        yield located.placed(finding)

    def _refused(self, deployment: ModelDeployment) -> Iterator[Finding]:
        demands = list(unmet_demands(deployment, shipped_catalog()))
        if self.mode == "local":
            yield from demands
            yield from _refused_locally(deployment, {finding.path for finding in demands})
            return
        for finding in refusals(deployment, self.fleet, shipped_catalog()):
            # What only surprises in a cluster is of no interest to those who do not mean one.
            if self.mode == "cluster" or finding.is_error or finding in demands:
                yield finding


def _refused_locally(deployment: ModelDeployment, told: Collection[str]) -> Iterator[Finding]:
    """What the engine's start would be refused for; not where its arguments are refused already."""
    model, engine = deployment.spec.model, deployment.spec.engine
    if model is None or engine is None or engine.name is not EngineName.LLAMA_CPP:
        return
    asked: dict[str, Callable[[], object]] = {}
    if model.source.startswith(("hf://", "package://")):
        source, revision = model.source, model.revision or ""
        asked["spec.model.source"] = lambda: parse_source(source, revision, beside=Path())
    if not any(path.startswith("spec.engine.args") for path in told):
        asked["spec.engine.args"] = lambda: read_arguments(engine.args)
    for path, ask in asked.items():
        try:
            ask()
        except PointsmanError as error:
            yield refusal(deployment, path, error.what, error.todo)
