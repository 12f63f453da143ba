"""What an engine is started with: the spec of a deployment, its hash, its environment, its last words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pointsman.api import ModelDeployment
from pointsman.errors import PointsmanError
from pointsman.local.engines.launch import engine_environment as process_environment
from pointsman.local.engines.log_tail import last_words
from pointsman.local.engines.prepare import engine_environment, hub_token, refuse_unsupported
from pointsman.local.engines.spec import DEFAULT_CONTEXT_LENGTH, EngineSpec, context_length, engine_spec
from pointsman.local.weights.gguf import ModelFacts
from pointsman.local.weights.located import Weights
from tests.support import builders
from tests.support.builders import key

FACTS = ModelFacts("llama", 131072, 32, 1024)


def llama(**spec: Any) -> ModelDeployment:
    return builders.deployment("a", engine="llama.cpp", source="file://./a.gguf", spec=spec)


@pytest.fixture
def made(tmp_path: Path) -> Callable[[ModelDeployment], EngineSpec]:
    path = tmp_path / "a.gguf"
    path.write_bytes(b"weights")
    return lambda deployment: engine_spec(deployment, Weights(path, 7, "a file"), FACTS, {"TOKEN": "hush"})


def test_a_spec_says_what_the_deployment_says(made: Callable[[ModelDeployment], EngineSpec]) -> None:
    stated = llama(
        model={"servedNames": ["x", "y"], "contextLength": 99},
        engine={"maxConcurrency": 3, "args": ["--temp=0"], "chatTemplate": "t"},
    )
    spec = made(stated)
    assert (spec.served_names, spec.context_length, spec.concurrency) == (("x", "y"), 99, 3)
    assert (spec.parameters, spec.chat_template) == ({"sampling.temp": 0.0}, "t")


REPLACING = {
    "context": {"model": {"contextLength": 99}},
    "concurrency": {"engine": {"maxConcurrency": 2}},
    "names": {"model": {"servedNames": ["b"]}},
    "template": {"engine": {"chatTemplate": "t"}},
    "arguments": {"engine": {"args": ["--temp=0"]}},
    "tasks": {"tasks": ["embedding"]},
}
KEEPING = {
    "replicas": {"replicas": 4},
    "drain": {"drain": {"timeout": "1s"}},
    "data classes": {"dataClasses": ["public"]},
}


@pytest.mark.parametrize("spec", REPLACING.values(), ids=REPLACING.keys())
def test_what_changes_the_engine_changes_the_hash(
    made: Callable[[ModelDeployment], EngineSpec], spec: dict[str, Any]
) -> None:
    assert made(llama(**spec)).hash != made(llama()).hash


@pytest.mark.parametrize("spec", KEEPING.values(), ids=KEEPING.keys())
def test_what_does_not_change_the_engine_keeps_the_hash(
    made: Callable[[ModelDeployment], EngineSpec], spec: dict[str, Any]
) -> None:
    assert made(llama(**spec)).hash == made(llama()).hash


def test_the_environment_is_in_the_hash_and_nowhere_else(
    made: Callable[[ModelDeployment], EngineSpec],
) -> None:
    spec = made(llama())
    assert "hush" not in repr(spec)
    assert "hush" not in str(spec.to_document(1))


def test_a_context_that_nobody_asked_for_is_small() -> None:
    assert context_length(llama(), FACTS) == DEFAULT_CONTEXT_LENGTH
    assert context_length(llama(), ModelFacts("bert", 512, 1, 1)) == 512
    assert context_length(llama(model={"contextLength": 9}), FACTS) == 9


UNSUPPORTED = {
    "another engine": ({"engine": {"name": "vllm"}}, "local mode, which runs the llama.cpp server"),
    "a task it cannot do": ({"tasks": ["image"]}, "llama.cpp cannot do image"),
    "an argument of ours": ({"engine": {"args": ["--parallel=2"]}}, "use spec.engine.maxConcurrency"),
    "a variable of ours": ({"engine": {"env": [{"name": "LLAMA_API_KEY", "value": "x"}]}}, "LLAMA_API_KEY"),
    "adapters": ({"model": {"adapters": [{"name": "a", "source": "file://a"}]}}, "spec.model.adapters"),
}


@pytest.mark.parametrize(("spec", "words"), UNSUPPORTED.values(), ids=UNSUPPORTED.keys())
def test_what_local_mode_cannot_run_is_one_line(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(PointsmanError) as raised:
        refuse_unsupported(llama(**spec))
    assert words in str(raised.value)
    assert raised.value.where.startswith("spec.")


REFERENCE = {"secretRef": {"name": "hub", "key": "token"}}
VARIABLE = {"name": "T", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}


class TestSecrets:
    def test_values_come_from_the_namespace_of_the_deployment(self) -> None:
        stated = llama(
            model={"credentials": REFERENCE}, engine={"env": [VARIABLE, {"name": "P", "value": "p"}]}
        )
        secrets = {key("hub"): builders.secret("hub", {"token": "t\n"})}
        assert hub_token(stated, secrets) == "t"
        assert engine_environment(stated, secrets) == {"T": "t", "P": "p"}

    def test_a_missing_one_says_which_and_where(self) -> None:
        stated = llama(model={"credentials": REFERENCE}, engine={"env": [VARIABLE]})
        with pytest.raises(PointsmanError, match="Secret default/hub does not exist"):
            hub_token(stated, {})
        with pytest.raises(PointsmanError, match="has no value for token") as raised:
            engine_environment(stated, {key("hub"): builders.secret("hub", {"other": "x"})})
        assert raised.value.where == "spec.engine.env[0].valueFrom.secretKeyRef"


def test_an_engine_process_gets_little_of_our_environment() -> None:
    own = {"PATH": "/bin", "OPENAI_API_KEY": "sk", "LC_ALL": "C", "GGML_X": "1", "AWS_SECRET": "s"}
    got = process_environment(own, {"T": "t"})
    assert got == {"PATH": "/bin", "LC_ALL": "C", "GGML_X": "1", "PYTHONUNBUFFERED": "1", "T": "t"}


class TestLastWords:
    def words(self, tmp_path: Path, text: str, since: int = 0) -> tuple[str, tuple[str, ...]]:
        log = tmp_path / "log"
        log.write_text(text)
        found = last_words(log, since_byte=since)
        return found.cause, found.shown

    def test_the_first_error_is_the_cause(self, tmp_path: Path) -> None:
        text = "0.00.001.002 I starts\n0.00.001.003 E cause\n0.00.001.004 E follows\nexiting\n"
        assert self.words(tmp_path, text) == ("cause", ("cause", "follows"))

    def test_without_errors_the_last_line_is(self, tmp_path: Path) -> None:
        assert self.words(tmp_path, "Traceback\n  x\nValueError: y\n")[0] == "ValueError: y"

    def test_what_an_earlier_start_said_does_not_count(self, tmp_path: Path) -> None:
        former = "0.00.001.003 E former\n"
        assert self.words(tmp_path, former + "0.00.001.003 E now\n", len(former))[0] == "now"

    def test_no_log_is_no_words(self, tmp_path: Path) -> None:
        assert last_words(tmp_path / "none", since_byte=0).cause == ""
