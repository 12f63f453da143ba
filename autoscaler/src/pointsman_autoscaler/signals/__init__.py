"""What can be seen of a model: engines' and gateways' metrics, read directly or from a Prometheus, as a View.

Nothing is decided here. What could not be read is not zero: a sample lacks it, or there is no view at all.
"""
