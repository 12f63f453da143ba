"""Arguments of the llama.cpp server that `engine.args` may hold, and the parameter that each of them sets.

The engine runs inside a Python process, which has parameters and no command line; so what llama.cpp's own
parser does is written down here, for the flags that make sense to tune. Names: tools/server/README.md of
llama.cpp.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pointsman.errors import PointsmanError

Value = int | float | bool | str | list[str]


@dataclass(frozen=True)
class _Flag:
    """`read` turns the argument's text into the parameter's value; a switch has a `value` and no text."""

    parameter: str
    read: Callable[[str], Value] | None = None
    value: Value = True
    adds: bool = False


def _number(text: str) -> int:
    return int(text)


def _share(text: str) -> float:
    return float(text)


def _one_of(kind: str, **choices: str) -> Callable[[str], Value]:
    def read(text: str) -> Value:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return f"{kind}.{choices[text]}"

    return read


def _text(text: str) -> str:
    # A shell would have made the newline; YAML's plain and single-quoted scalars do not.
    return text.replace("\\n", "\n")


def _layers(text: str) -> int:
    return {"all": -2, "auto": -1}[text] if text in ("all", "auto") else int(text)


_CACHE_TYPE = _one_of(
    "ggml_type",
    **{
        name: f"GGML_TYPE_{name.upper()}"
        for name in ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
    },
)
_ON_OFF_AUTO = _one_of(
    "llama_flash_attn_type",
    on="LLAMA_FLASH_ATTN_TYPE_ENABLED",
    off="LLAMA_FLASH_ATTN_TYPE_DISABLED",
    auto="LLAMA_FLASH_ATTN_TYPE_AUTO",
)
_POOLING = _one_of(
    "llama_pooling_type",
    **{name: f"LLAMA_POOLING_TYPE_{name.upper()}" for name in ("none", "mean", "cls", "last", "rank")},
)
_ROPE = _one_of(
    "llama_rope_scaling_type",
    **{name: f"LLAMA_ROPE_SCALING_TYPE_{name.upper()}" for name in ("none", "linear", "yarn")},
)
_REASONING = _one_of(
    "common_reasoning_format",
    **{
        name: f"COMMON_REASONING_FORMAT_{name.upper().replace('-', '_')}"
        for name in ("none", "auto", "deepseek", "deepseek-legacy")
    },
)
_NUMA = _one_of(
    "ggml_numa_strategy",
    **{name: f"GGML_NUMA_STRATEGY_{name.upper()}" for name in ("distribute", "isolate", "numactl")},
)

_FLAGS: dict[tuple[str, ...], _Flag] = {
    ("--threads", "-t"): _Flag("cpuparams.n_threads", _number),
    ("--threads-batch", "-tb"): _Flag("cpuparams_batch.n_threads", _number),
    ("--poll",): _Flag("cpuparams.poll", _number),
    ("--numa",): _Flag("numa", _NUMA),
    ("--batch-size", "-b"): _Flag("n_batch", _number),
    ("--ubatch-size", "-ub"): _Flag("n_ubatch", _number),
    ("--gpu-layers", "--n-gpu-layers", "-ngl"): _Flag("n_gpu_layers", _layers),
    ("--cache-type-k", "-ctk"): _Flag("cache_type_k", _CACHE_TYPE),
    ("--cache-type-v", "-ctv"): _Flag("cache_type_v", _CACHE_TYPE),
    ("--flash-attn", "-fa"): _Flag("flash_attn_type", _ON_OFF_AUTO),
    ("--swa-full",): _Flag("swa_full"),
    ("--kv-unified", "-kvu"): _Flag("kv_unified"),
    ("--mlock",): _Flag("load_mode", value="llama_load_mode.LLAMA_LOAD_MODE_MMAP_MLOCK"),
    ("--no-mmap",): _Flag("load_mode", value="llama_load_mode.LLAMA_LOAD_MODE_NONE"),
    ("--cache-ram", "-cram"): _Flag("cache_ram_mib", _number),
    ("--cache-reuse",): _Flag("n_cache_reuse", _number),
    ("--no-cache-prompt",): _Flag("cache_prompt", value=False),
    ("--context-shift",): _Flag("ctx_shift"),
    ("--keep",): _Flag("n_keep", _number),
    ("--predict", "--n-predict", "-n"): _Flag("n_predict", _number),
    ("--reverse-prompt", "-r"): _Flag("antiprompt", _text, adds=True),
    ("--seed", "-s"): _Flag("sampling.seed", _number),
    ("--temp", "--temperature"): _Flag("sampling.temp", _share),
    ("--top-k",): _Flag("sampling.top_k", _number),
    ("--top-p",): _Flag("sampling.top_p", _share),
    ("--min-p",): _Flag("sampling.min_p", _share),
    ("--repeat-penalty",): _Flag("sampling.penalty_repeat", _share),
    ("--presence-penalty",): _Flag("sampling.penalty_present", _share),
    ("--frequency-penalty",): _Flag("sampling.penalty_freq", _share),
    ("--pooling",): _Flag("pooling_type", _POOLING),
    ("--rope-scaling",): _Flag("rope_scaling_type", _ROPE),
    ("--rope-freq-base",): _Flag("rope_freq_base", _share),
    ("--rope-freq-scale",): _Flag("rope_freq_scale", _share),
    ("--yarn-orig-ctx",): _Flag("yarn_orig_ctx", _number),
    ("--reasoning-format",): _Flag("reasoning_format", _REASONING),
    ("--reasoning-budget",): _Flag("enable_reasoning", _number),
    ("--verbosity", "-lv"): _Flag("verbosity", _number),
}

_BY_NAME = {name: flag for names, flag in _FLAGS.items() for name in names}


def supported_flags() -> list[str]:
    """The long names, sorted."""
    return sorted(names[0] for names in _FLAGS)


def read_arguments(arguments: Sequence[str]) -> dict[str, Value]:
    """Parameters by their path in llama.cpp's parameters (`sampling.temp`), from `engine.args`.

    Takes `--flag=value` and `--flag`, `value`; a flag given twice counts the last time, as in llama.cpp.
    Raises PointsmanError that names the argument.
    """
    found: dict[str, Value] = {}
    waiting = iter(arguments)
    for argument in waiting:
        name, has_value, text = argument.partition("=")
        flag = _BY_NAME.get(name)
        if flag is None:
            raise PointsmanError(
                f"{argument} is not an argument that local mode can give to llama.cpp",
                where="spec.engine.args",
                todo=f"remove it or use one of {', '.join(supported_flags())}",
            )
        found[flag.parameter] = _read(flag, name, text if has_value else None, waiting, found)
    return found


def _read(flag: _Flag, name: str, text: str | None, waiting: Iterator[str], found: dict[str, Value]) -> Value:
    if flag.read is None:
        if text is not None:
            raise PointsmanError(f"{name} takes no value", where="spec.engine.args", todo=f"write {name}")
        return flag.value
    text = next(waiting, None) if text is None else text
    if text is None:
        raise PointsmanError(f"{name} needs a value", where="spec.engine.args", todo=f"write {name}=VALUE")
    try:
        value = flag.read(text)
    except ValueError as error:
        told = str(error) if str(error).startswith("must") else "must be a number"
        raise PointsmanError(
            f"{name}: {text!r} {told}", where="spec.engine.args", todo="correct it"
        ) from error
    if flag.adds:
        former = found.get(flag.parameter, [])
        return [*former, str(value)] if isinstance(former, list) else [str(value)]
    return value
