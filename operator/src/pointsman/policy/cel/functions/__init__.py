"""Functions that Kubernetes adds to CEL, for the rules that use them."""

FUNCTIONS: list[object] = []
