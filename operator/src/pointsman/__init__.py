"""Pointsman: a control plane for serving many models as one fleet."""

__version__ = "0.1.0"
