"""A report as one page of HTML: nothing beside it, no scripts, readable on paper and without colours."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from pointsman.policy.evidence.bodies import scope
from pointsman.policy.evidence.report import Control, Framework, Report, State
from pointsman.policy.evidence.shown import cells, counts, foot, reasons

_STYLE = """\
:root{color-scheme:light dark;--line:#8885;--soft:#8881}
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem}
h1{margin-bottom:.3rem}h2{margin-top:2.2rem}p,ul{margin:.4rem 0}
code{font:.88em ui-monospace,monospace;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;margin:.8rem 0}
th,td{border-bottom:1px solid var(--line);padding:.4rem .6rem;text-align:left;vertical-align:top}
th{background:var(--soft);font-weight:600}td:first-child{white-space:nowrap}td div+div{margin-top:.3rem}
.state{display:inline-block;white-space:nowrap;border:1px solid;border-radius:.8em;padding:0 .6em;
font-size:.9em}
.fail{color:#c22;font-weight:600}.pass{color:#182}.exempt,.not-enforced{color:#a60}.no-evidence{color:#777}
@media(prefers-color-scheme:dark){.fail{color:#f77}.pass{color:#6c6}.exempt,.not-enforced{color:#fa4}
.no-evidence{color:#aaa}}
@media print{body{margin:0;max-width:none}tr{break-inside:avoid}thead{display:table-header-group}}"""


def html(report: Report) -> str:
    """The whole page."""
    parts = [
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width"><title>Compliance report</title>',
        f"<style>{_STYLE}</style>\n<h1>Compliance report</h1>",
        *(f"<p>{escape(line)}</p>" for line in foot(report)),
    ]
    for framework in report.frameworks:
        parts += _framework(framework, report)
    parts += _exceptions(report)
    return "\n".join([*parts, "</html>"]) + "\n"


def _framework(framework: Framework, report: Report) -> Iterator[str]:
    yield f"<h2>{escape(framework.title)}</h2>"
    version = f"{escape(framework.name)}, {escape(framework.version)}"
    yield f"<p>{version}. {counts(framework)}.</p>"
    rows = (_control(control, report) for control in framework.controls)
    yield from _table(("control", "about", "state", "what its rules say"), rows)
    failing = [(escape(rule), escape(of), escape(why)) for rule, of, why in reasons(framework)]
    if failing:
        yield "<h3>What fails</h3>"
        yield from _table(("rule", "object", "what is wrong, and what to do"), failing)


def _control(control: Control, report: Report) -> Sequence[str]:
    said = "".join(f"<div>{escape(cell)}</div>" for cell in cells(control, report))
    return escape(control.id), escape(control.title), _state(control.state), said


def _state(state: State) -> str:
    return f'<span class="state {state.replace(" ", "-")}">{state}</span>'


def _exceptions(report: Report) -> Iterator[str]:
    if report.exceptions:
        yield "<h2>Exceptions that count</h2>"
        rows = [
            [
                escape(cell)
                for cell in (
                    one.exemption.id,
                    ", ".join(sorted(one.exemption.rules)),
                    scope(one.exemption),
                    one.exemption.until_text,
                    one.exemption.approved_by,
                    " ".join(filter(None, (one.exemption.reason, one.exemption.ticket))),
                )
            ]
            for one in report.exceptions
        ]
        yield from _table(("exception", "rules", "for", "until", "approved by", "reason"), rows)


def _table(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Cells are HTML."""
    yield f"<table><thead><tr>{''.join(f'<th>{head}' for head in heads)}</thead>"
    yield from (f"<tr>{''.join(f'<td>{cell}' for cell in row)}" for row in rows)
    yield "</table>"
