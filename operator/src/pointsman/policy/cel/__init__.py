"""The rules' language: CEL as the API server speaks it, checked and evaluated here."""

from pointsman.policy.cel.environment import Broken, EvaluationError, Program, checked

__all__ = ["Broken", "EvaluationError", "Program", "checked"]
