"""Arguments of llama.cpp that engine.args may hold."""

import pytest

from pointsman.catalog import owned_argument
from pointsman.errors import PointsmanError
from pointsman.local.engines.llamacpp_flags import read_arguments, supported_flags

READ = {
    "a value after an equals sign": (["--temp=0.5"], {"sampling.temp": 0.5}),
    "a value of its own": (["--top-k", "3"], {"sampling.top_k": 3}),
    "the short name": (["-b", "64"], {"n_batch": 64}),
    "a switch": (["--swa-full"], {"swa_full": True}),
    "a switch that turns off": (["--no-cache-prompt"], {"cache_prompt": False}),
    "a member of an enumeration": (["-ctk", "q8_0"], {"cache_type_k": "ggml_type.GGML_TYPE_Q8_0"}),
    "given twice: the last counts": (["--seed=1", "--seed=2"], {"sampling.seed": 2}),
    "given twice where it adds": (["-r", "A:", "-r", "B:"], {"antiprompt": ["A:", "B:"]}),
    "an escaped newline is one": (["--reverse-prompt=\\n###"], {"antiprompt": ["\n###"]}),
    "all layers": (["-ngl", "all"], {"n_gpu_layers": -2}),
    "nothing": ([], {}),
}

REFUSED = {
    "unknown": (["--no-such-flag"], "--no-such-flag"),
    "no number": (["--top-k=many"], "--top-k: 'many' must be a number"),
    "no such choice": (["--pooling=sum"], "must be one of none, mean, cls, last, rank"),
    "no value": (["--temp"], "--temp needs a value"),
    "a switch with a value": (["--mlock=yes"], "--mlock takes no value"),
}


@pytest.mark.parametrize(("arguments", "want"), READ.values(), ids=READ.keys())
def test_reads(arguments: list[str], want: dict[str, object]) -> None:
    assert read_arguments(arguments) == want


@pytest.mark.parametrize(("arguments", "want"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses_by_name(arguments: list[str], want: str) -> None:
    with pytest.raises(PointsmanError) as raised:
        read_arguments(arguments)
    assert want in str(raised.value)
    assert raised.value.where == "spec.engine.args"


def test_no_supported_flag_is_one_that_we_set_ourselves() -> None:
    assert [flag for flag in supported_flags() if owned_argument("llama.cpp", flag)] == []


def test_every_parameter_exists_in_the_engine() -> None:
    import xllamacpp

    from pointsman.local.engines.llamacpp_flags import _FLAGS

    params = xllamacpp.CommonParams()
    for flag in _FLAGS.values():
        place: object = params
        for step in flag.parameter.split("."):
            place = getattr(place, step)
