"""Benchmarks whose results are ratios measured in one run. `python -m tests.bench` runs them."""
