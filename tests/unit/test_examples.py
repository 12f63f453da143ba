"""The examples are what people copy: each folder is valid as it stands, on its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.api import ModelDeployment
from pointsman.api.parsing import parse_documents
from pointsman.catalog import owned_argument, shipped_catalog

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = sorted(folder for folder in EXAMPLES.iterdir() if folder.is_dir())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_example_has_no_findings(folder: Path) -> None:
    files = [file for file in sorted(folder.rglob("*.yaml")) if file.parent.name != "tests"]
    assert files
    for file in files:
        objects, findings = parse_documents(str(file.relative_to(EXAMPLES)), file.read_text())
        assert [finding.text() for finding in findings] == []
        assert objects


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_example_explains_itself(folder: Path) -> None:
    assert (folder / "README.md").is_file()


def deployments() -> Mapping[str, dict[str, Any]]:
    return {
        f"{file.parent.name}/{document['metadata']['name']}": document
        for file in sorted(EXAMPLES.rglob("*.yaml"))
        if file.name != "refused.yaml"  # as it says, wrong on purpose
        for document in yaml.safe_load_all(file.read_text())
        if document.get("kind") == "ModelDeployment" and "engine" in document["spec"]
    }


@pytest.mark.parametrize(("name", "document"), deployments().items(), ids=deployments().keys())
def test_an_example_passes_no_argument_of_ours(name: str, document: dict[str, Any]) -> None:
    deployment = ModelDeployment.model_validate(document)
    engine = deployment.spec.engine
    assert engine is not None
    assert [argument for argument in engine.args if owned_argument(engine.name, argument)] == []


@pytest.mark.parametrize(("name", "document"), deployments().items(), ids=deployments().keys())
def test_the_catalogue_knows_the_models_of_the_examples(name: str, document: dict[str, Any]) -> None:
    model = shipped_catalog().model_at(document["spec"]["model"]["source"])
    assert model is not None
    assert document["spec"]["license"] == model.license
    assert document["spec"]["model"]["contextLength"] <= model.context_length
