"""The pages about the packs are what their data says, and the data names only what there is."""

from pathlib import Path

import pytest

from pointsman.errors import PointsmanError
from pointsman.policy.__main__ import main
from pointsman.policy.declarations import FILE, declarations
from pointsman.policy.packs import read_library
from pointsman.policy.pages import pages

POLICIES = Path(__file__).parents[3] / "policies"

PACK = """\
title: Example
description: For tests.
parameters:
  days: {type: integer, default: 3, minimum: 1, description: how many days}
"""
FRAMEWORKS = """\
acme:
  title: Rules of Acme
  version: "1"
  url: https://acme.example.com/rules
  controls: {A-1: Models are blue, A-2: Nobody asks for this}
"""
HELD = """\
id: EX-01
title: Models are blue
severity: high
message: the model is not blue
todo: paint it, or | wait
why: It looks better.
controls: {acme: [A-1]}
source: [https://acme.example.com/blue]
checks:
  ModelDeployment:
    holds: object.metadata.labels['pointsman.dev/colour'] == 'params.none' && params.days > 2
mutations:
  ModelDeployment: {when: "false", patch: "[]"}
passes:
  - why: a blue one
    namespaceLabels: {pointsman.dev/environment: dev}
    object: {apiVersion: pointsman.dev/v1alpha1, kind: ModelDeployment, metadata: {name: blue}}
fails:
  - {why: a red one, object: {apiVersion: v1, kind: ModelDeployment, metadata: {name: red}}}
"""


def elsewhere(id_: str, place: str) -> str:
    return f"""\
id: {id_}
title: Something else
severity: low
message: it is wrong
todo: mend it
why: It is wrong.
controls: {{}}
source: []
{place}
"""


LIBRARY = {
    "frameworks.yaml": FRAMEWORKS,
    "example/pack.yaml": PACK,
    "example/EX-01.yaml": HELD,
    "example/EX-02.yaml": elsewhere("EX-02", "background: age\nunseen: nobody knows"),
    "example/EX-03.yaml": elsewhere("EX-03", "runtime: colour"),
    "example/EX-04.yaml": HELD.replace("EX-01", "EX-04") + "waitsFor: spec.colour\n",
}
DECLARED = """\
pointsman.dev/colour: {written: label, of: [ModelDeployment], says: which colour, values: blue}
"""


def made() -> dict[str, str]:
    return pages(read_library(LIBRARY), declarations(DECLARED))


def test_the_committed_pages_are_what_the_data_says(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    written = {str(page.relative_to(tmp_path)): page.read_text() for page in tmp_path.rglob("*.md")}
    committed = {str(page.relative_to(POLICIES)): page.read_text() for page in POLICIES.rglob("*.md")}
    stale = sorted(
        name for name in written.keys() | committed.keys() if written.get(name) != committed.get(name)
    )
    assert stale == [], "run `make generate` and commit"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["policies", "crds"]])
def test_a_folder_is_asked_for(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "FOLDER" in capsys.readouterr().err


def test_there_is_a_page_for_each_pack_beside_those_about_all() -> None:
    assert sorted(made()) == ["DECLARATIONS.md", "FRAMEWORKS.md", "README.md", "example/README.md"]


def test_the_index_counts_rules_by_where_they_are_held() -> None:
    index = made()["README.md"]
    assert "| [example](example/README.md) | Example | 4 | 1 | 1 | 0 | 1 | 1 |" in index
    assert "| all |  | 4 | 1 | 1 | 0 | 1 | 1 |" in index


def test_a_pack_page_says_where_each_rule_is_held_and_what_it_reads() -> None:
    page = made()["example/README.md"]
    assert "| [EX-01](#ex-01) | Models are blue | high | at admission of ModelDeployment | `days` |" in page
    assert "not enforced: nobody knows" in page
    assert "at run time, not enforced yet (`colour`)" in page
    assert "once `spec.colour` works" in page
    assert "| `days` | integer, at least 1 | `3` | how many days |" in page
    assert "acme A-1 (Models are blue)" in page
    assert "# in a namespace with the labels pointsman.dev/environment: dev\n" in page
    assert "- filled in where it is missing: ModelDeployment" in page


def test_controls_without_a_rule_say_so() -> None:
    page = made()["FRAMEWORKS.md"]
    assert "| A-1 | Models are blue | [EX-01](example/README.md#ex-01), [EX-04]" in page
    assert "| A-2 | Nobody asks for this | none |" in page


def test_declarations_name_the_rules_that_read_them() -> None:
    row = "| `pointsman.dev/colour` | label of ModelDeployment | which colour | blue | [EX-01](example"
    assert row in made()["DECLARATIONS.md"]


def test_a_bar_in_a_text_does_not_end_its_cell() -> None:
    library = read_library({**LIBRARY, "example/pack.yaml": PACK.replace("how many days", "a | b")})
    assert "| a \\| b |" in pages(library, {})["example/README.md"]


def test_a_rule_that_names_an_unknown_control_is_refused() -> None:
    library = read_library({**LIBRARY, "example/EX-01.yaml": HELD.replace("A-1", "A-9")})
    with pytest.raises(PointsmanError, match="no control A-9 of acme"):
        pages(library, {})


@pytest.mark.parametrize("file", ["frameworks.yaml", FILE])
def test_what_is_shipped_is_in_order_and_named_once(file: str) -> None:
    lines = (POLICIES / file).read_text().splitlines()
    names = [line.removesuffix(":") for line in lines if line and line[0] not in " #"]
    assert names == sorted(set(names))
