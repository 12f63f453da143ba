"""A placement in words, as `pointsman explain` prints it."""

from pointsman.placement.result import NotPlaced, Placement

_SHOWN_ALTERNATIVES = 3


def explain(result: Placement | NotPlaced, heading: str = "Placement") -> tuple[str, ...]:
    """The lines of the paragraph. `heading` is the caller's: only it knows since when a placement stands."""
    if isinstance(result, NotPlaced):
        lines = [f"not placed: {result.message}"]
        if result.closest:
            lines.append(f"closest: {result.closest}")
        if result.todo:
            lines.append(result.todo)
    else:
        lines = [result.fit, result.reason]
        if result.alternatives:
            shown = "; ".join(str(each) for each in result.alternatives[:_SHOWN_ALTERNATIVES])
            lines.append(f"next best: {shown}")
        lines.append(result.assumptions)
    return (heading, *(f"  {line}" for line in lines))
