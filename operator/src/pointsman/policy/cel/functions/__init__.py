"""Functions that Kubernetes adds to CEL, as far as rules may use them (Kubernetes 1.33).

Not here: two-variable comprehensions, which the library behind it (cel-expr-python 0.1.3) does not have;
`indexOf` of lists, as it takes no second one beside that of texts; `authorizer`, `format.named`. A rule that
uses what is not here does not compile, and its policy says so.
"""

from pointsman.policy.cel.functions import (
    addresses,
    comparing,
    lists,
    networks,
    quantities,
    texts,
    versions,
)

FUNCTIONS = [
    *quantities.FUNCTIONS,
    *versions.FUNCTIONS,
    *comparing.FUNCTIONS,
    *networks.FUNCTIONS,
    *addresses.FUNCTIONS,
    *lists.FUNCTIONS,
    *texts.FUNCTIONS,
]

__all__ = ["FUNCTIONS"]
