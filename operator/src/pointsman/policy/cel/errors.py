"""What may be wrong with an expression."""

from pointsman.errors import PointsmanError


class Broken(PointsmanError):
    """An expression that does not compile."""


class EvaluationError(Exception):
    """An expression that has no value for an object, such as one that reads a field it does not have."""
