"""The word that a person meant, among few and among thousands."""

import pytest

from pointsman.api.examination import examine
from pointsman.api.misspelling import KnownWords, nearest

FLEET = [f"model-number-{number}" for number in range(5_000)]


@pytest.mark.parametrize(
    ("word", "meant"),
    [("revison", "revision"), ("REPLICAS", "replicas"), ("xyz", None), ("", None), ("r" * 10_000, None)],
)
def test_the_nearest_word_is_offered_and_none_that_is_far(word: str, meant: str | None) -> None:
    assert nearest(word, ["revision", "replicas", "engine"]) == meant
    assert KnownWords(["revision", "replicas", "engine"]).nearest(word) == meant


@pytest.mark.parametrize(
    "word",
    [
        "modell-number-4321",
        "odel-number-4321",
        "model-nmuber-4321",
        "model-number-4321x",
        "MODEL-number-4321",
    ],
)
def test_one_of_thousands_is_found_by_its_beginning_or_its_end(word: str) -> None:
    assert KnownWords(FLEET).nearest(word) == "model-number-4321"


def test_few_words_are_compared_however_many_there_are() -> None:
    words = KnownWords(FLEET)
    assert max(len(words.beside(word)) for word in ("model-number-4321", "zebra", "", "a")) <= 32


HEADER = "apiVersion: pointsman.dev/v1alpha1\n"


def deployment(number: int) -> str:
    return (
        f"{HEADER}kind: ModelDeployment\nmetadata: {{name: model-number-{number}}}\nspec:\n"
        "  hosted:\n    provider: openai\n    baseURL: https://api.openai.com/v1\n    model: m\n"
        f"    credentials: {{secretRef: {{name: sekret-{number}, key: k}}}}\n"
    )


def route(number: int) -> str:
    return (
        f"{HEADER}kind: ModelRoute\nmetadata: {{name: route-{number}}}\nspec:\n"
        f"  models: [m{number}]\n  rules: [{{targets: [{{deployment: modell-number-{number}}}]}}]\n"
        "  authentication: {apiKeys: {secretSelector: {matchLabels: {team: a, client: none}}}}\n"
    )


def secret(number: int) -> str:
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: secret-{number}, labels: {{team: a}}}}\n"


@pytest.mark.timeout(60)
def test_thousands_of_objects_that_name_what_is_not_there_are_checked_in_seconds() -> None:
    count = 1_500
    files = {
        f"{make.__name__}.yaml": "---\n".join(make(number) for number in range(count))
        for make in (deployment, route, secret)
    }
    said = [finding.text() for finding in examine(files, "local").findings]
    assert len(said) == 3 * count
    assert sum('did you mean "model-number-' in line for line in said) == count
    assert sum('did you mean "secret-' in line for line in said) == count
