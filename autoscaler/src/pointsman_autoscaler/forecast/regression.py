"""Recursive least squares with forgetting and a prior of zero: with no evidence, nothing changes."""

# Evidence halves after about a day of minutes.
_MEMORY = 0.9995
# Variance of the coefficients before evidence, in units of the residuals' variance.
_PRIOR_VARIANCE = 20.0
_LARGEST_VARIANCE = 200.0


class Regression:
    """y ≈ Σ coefficient · feature. A handful of features: plain lists are faster than arrays here."""

    __slots__ = ("_coefficients", "_covariance")

    def __init__(self, features: int) -> None:
        self._coefficients = [0.0] * features
        self._covariance = [
            [_PRIOR_VARIANCE if row == column else 0.0 for column in range(features)]
            for row in range(features)
        ]

    def predict(self, features: tuple[float, ...]) -> float:
        return sum(a * b for a, b in zip(self._coefficients, features, strict=True))

    def learn(self, features: tuple[float, ...], outcome: float) -> None:
        size = len(self._coefficients)
        covariance = self._covariance
        spread = [sum(covariance[row][k] * features[k] for k in range(size)) for row in range(size)]
        divisor = _MEMORY + sum(a * b for a, b in zip(features, spread, strict=True))
        error = outcome - self.predict(features)
        for row in range(size):
            self._coefficients[row] += spread[row] / divisor * error
        grows = max(covariance[k][k] for k in range(size)) < _LARGEST_VARIANCE
        scale = 1 / _MEMORY if grows else 1.0
        for row in range(size):
            for column in range(size):
                covariance[row][column] = (
                    covariance[row][column] - spread[row] * spread[column] / divisor
                ) * scale
