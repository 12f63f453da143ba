"""Which files of a repository or bucket an engine needs. Pure."""

import re
from collections.abc import Collection, Iterable

from pointsman.weights.shards import with_shards
from pointsman.weights.trouble import Reason, WeightsError

# The same weights in forms that none of our engines prefers; gpt-oss holds its weights three times.
_OTHER_FORMS = re.compile(
    r"^(original|metal|onnx|openvino|coreml|tflite)/|\.(msgpack|h5|ot|tflite|mlmodel|pth)$"
)
# What safetensors make unneeded.
_PICKLED = re.compile(r"\.(bin|pt)$")
# Mistral's own form of weights that engines read as model.safetensors.
_CONSOLIDATED = re.compile(r"consolidated([.-].*)?\.safetensors")
# The same weights in another precision: `model.fp32-00001-of-00002.safetensors` beside `model.safetensors`.
_OTHER_PRECISION = re.compile(r"(?P<stem>.+)\.(fp16|bf16|fp32|non_ema)(-\d{5}-of-\d{5})?\.safetensors")
_SHOWN = 6


def whole_repository(names: Collection[str]) -> list[str]:
    """Everything but second copies of the weights in other forms; `names` are all files."""
    kept = [name for name in names if not _OTHER_FORMS.search(name)]
    if any(name.endswith(".safetensors") for name in kept):
        return sorted(name for name in kept if not _PICKLED.search(name) and not _is_twice(name, kept))
    if any(_PICKLED.search(name) or name.endswith(".gguf") for name in kept):
        return sorted(kept)
    # No form is left that we know: then the ones that were left out are what there is.
    return sorted(names)


def _is_twice(name: str, names: Collection[str]) -> bool:
    """Whether a file of weights stands beside the same weights as engines ask for them first."""
    if _CONSOLIDATED.fullmatch(name):
        # Where the other form lacks its tokenizer, engines read Mistral's own.
        whole = "tokenizer.json" in names and "config.json" in names
        return whole and any(_is_part_of("model", other) for other in names)
    other_precision = _OTHER_PRECISION.fullmatch(name)
    return other_precision is not None and any(_is_part_of(other_precision["stem"], other) for other in names)


def _is_part_of(stem: str, name: str) -> bool:
    rest = name.removeprefix(stem)
    return rest != name and re.fullmatch(r"(-\d{5}-of-\d{5})?\.safetensors", rest) is not None


def stays_below(name: str) -> bool:
    """Whether a file's path in a repository or bucket stays below the folder that it is kept in."""
    return bool(name) and not name.startswith("/") and ".." not in name.split("/")


def below_folder(names: Iterable[str], where: str) -> list[str]:
    """The names as they are. WeightsError if one of them would be written elsewhere."""
    listed = list(names)
    for name in listed:
        if not stays_below(name):
            raise WeightsError(
                Reason.SOURCE_NOT_SUPPORTED,
                f"has a file that would not stay in its folder: {name}",
                where=where,
                todo="name a source whose files stay below it",
            )
    return listed


def below(names: Iterable[str], path: str) -> list[str]:
    """The file of that name with its further parts, or everything in the folder of that name."""
    listed = set(names)
    if path in listed:
        return [part for part in with_shards(path) if part in listed] or [path]
    return sorted(name for name in listed if name.startswith(f"{path}/"))


def only_weights_file(names: Iterable[str], where: str) -> str:
    """The one GGUF file among them. WeightsError where there is none, or more than one to choose from."""
    found = sorted(name for name in names if name.endswith(".gguf"))
    if len(found) == 1:
        return found[0]
    first = sorted({with_shards(name)[0] for name in found})
    listed = ", ".join(first[:_SHOWN]) + (", …" if len(first) > _SHOWN else "")
    raise WeightsError(
        Reason.SOURCE_AMBIGUOUS if found else Reason.FILE_NOT_FOUND,
        f"has {len(found) or 'no'} GGUF files",
        where=where,
        todo=f"append one to spec.model.source: {listed}" if found else "name a source that has one",
    )
