"""Beside an engine: what its own process cannot be trusted to say of itself, such as whether it still
answers.

What belongs here serves an engine wherever it runs. Starting, ending and finding processes or pods does not:
that is for whoever runs the engine.
"""
