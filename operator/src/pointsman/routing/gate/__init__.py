"""The first-token gate: a WebAssembly upstream filter, its source beside its committed bytes."""

from importlib.resources import files

SOURCE = "first_token_gate.wat"
COMPILED = "first_token_gate.wasm"


def compiled() -> bytes:
    """The filter as Envoy loads it."""
    return files(__package__).joinpath(COMPILED).read_bytes()
