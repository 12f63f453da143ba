"""What becomes wrong as days pass, with no change of any object."""

from datetime import date, timedelta

from pointsman.policy.background.looked import HOLDS, NOT_FOR_IT, Judgement, Looked


def ended_experiments(looked: Looked) -> Judgement:
    """The label pointsman.dev/expires names the last day."""
    end = _date(looked.label("pointsman.dev/expires"))
    if end is None:
        return NOT_FOR_IT
    return Judgement(f"it ended on {end}") if looked.now.date() > end else HOLDS


def evaluation_age(looked: Looked) -> Judgement:
    """Of high-risk models in production. That there is a date at all is another rule's matter."""
    day = looked.annotation("evaluation-date")
    if looked.annotation("risk-class") != "high" or not looked.is_production or _date(day) is None:
        return NOT_FOR_IT
    return _age(looked, day, "evaluationDays")


def red_team_age(looked: Looked) -> Judgement:
    return _age(looked, looked.annotation("red-team-date"), "redTeamDays")


def guardrail_test_age(looked: Looked) -> Judgement:
    """Of routes that are public: those that do not say that they are internal, or let anyone call."""
    anonymous = (looked.spec.get("authentication") or {}).get("anonymous") or False
    if looked.annotation("exposure") == "internal" and not anonymous:
        return NOT_FOR_IT
    return _age(looked, looked.annotation("guardrail-test-date"), "guardrailTestDays")


def _age(looked: Looked, stated: str, parameter: str) -> Judgement:
    day, days, today = _date(stated), looked.number(parameter), looked.now.date()
    if day is None:
        return Judgement(f'"{stated[:32]}" is no date' if stated else "no date is stated")
    if day > today:
        return Judgement(f"{day} is still to come")
    if today - day > timedelta(days=days):
        return Judgement(f"{day} is more than {days} days ago")
    return HOLDS


def _date(text: str) -> date | None:
    """As 2026-11-30; None for anything else, also for other ways to write a date."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.isoformat() == text else None
