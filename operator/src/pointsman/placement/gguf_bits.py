"""How large a weight is in a GGUF file, by the name that such files carry: `model-Q4_K_M.gguf`."""

import re
from typing import Final

USUAL_BITS: Final = 4.85
"""Of Q4_K_M, the usual file, where nothing says which it is."""

# Mean of the whole file, whose tables and outputs are kept finer than the rest.
_BITS: Final = {
    "F32": 32.0, "BF16": 16.0, "F16": 16.0, "Q8_0": 8.5, "Q6_K": 6.56,
    "Q5_K_M": 5.7, "Q5_K_S": 5.54, "Q5_1": 6.0, "Q5_0": 5.5, "MXFP4": 4.65,
    "Q4_K_M": USUAL_BITS, "Q4_K_S": 4.6, "Q4_1": 5.0, "Q4_0": 4.5, "IQ4_NL": 4.5, "IQ4_XS": 4.4,
    "Q3_K_L": 4.3, "Q3_K_M": 3.9, "Q3_K_S": 3.5, "Q2_K": 3.35,
}  # fmt: skip
_TYPE: Final = re.compile(rf"(?<![A-Z0-9])({'|'.join(sorted(_BITS, key=len, reverse=True))})(?![A-Z0-9])")


def bits_named(source: str) -> float | None:
    """Bits of a stored weight, or None where the source names no type."""
    found = _TYPE.findall(source.upper().replace("-", "_"))
    return _BITS[found[-1]] if found else None
