"""Rules that look beside an object: at what else is there, or at the date. Pure: all of it comes in."""

from pointsman.policy.background.beside import Beside, as_stated, named_deployments
from pointsman.policy.background.checks import LOOKS, NAMESPACE, Look
from pointsman.policy.background.looked import Judgement, Looked

__all__ = ["LOOKS", "NAMESPACE", "Beside", "Judgement", "Look", "Looked", "as_stated", "named_deployments"]
