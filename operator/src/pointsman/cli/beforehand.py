"""What `up` finds in files only once it runs them, asked of the same code beforehand."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pointsman.api import EngineName, Finding, Located, ModelDeployment, Secret, Stated
from pointsman.api.checks import Mode
from pointsman.catalog import owned_argument
from pointsman.errors import PointsmanError
from pointsman.local.engines.llamacpp_flags import read_arguments
from pointsman.local.files.secrets import resolve
from pointsman.local.weights.source import parse_source


def found_beforehand(
    located: Located[Stated], mode: Mode, environment: Mapping[str, str]
) -> Iterator[Finding]:
    """What is wrong with one object for local mode; nothing where a cluster is meant."""
    if mode == "cluster":
        return
    match located.resource:
        case Secret() as secret:
            # Where nobody says that local mode is meant, a warning: a machine that only checks has no keys.
            for finding in resolve(Located(secret, located.file, located.document), environment).findings:
                yield finding if mode == "local" else replace(finding, severity="warning")
        case ModelDeployment() as deployment if mode == "local":
            yield from _refused(located, deployment)


def _refused(located: Located[Stated], deployment: ModelDeployment) -> Iterator[Finding]:
    """What the engine's start would be refused for; not where a check speaks of the same field already."""
    model, engine = deployment.spec.model, deployment.spec.engine
    if model is None or engine is None or engine.name is not EngineName.LLAMA_CPP:
        return
    asked: dict[tuple[str, ...], Callable[[], object]] = {}
    if model.source.startswith(("hf://", "package://")):
        source, revision = model.source, model.revision or ""
        asked["spec", "model", "source"] = lambda: parse_source(source, revision, beside=Path())
    if not any(owned_argument(engine.name, argument) for argument in engine.args):
        asked["spec", "engine", "args"] = lambda: read_arguments(engine.args)
    for path, ask in asked.items():
        try:
            ask()
        except PointsmanError as error:
            yield located.finding(path, error.what, error.todo)
