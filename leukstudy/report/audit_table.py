"""The audit for people: a verdict a line, what was found, what to do, as HTML and as Markdown."""

from collections.abc import Sequence

import pandas as pd

from leukstudy.report.tables import SYNTHETIC, note_html, synthetic_html, to_html, to_markdown
from leukstudy.study.checks import CHECKS, VERDICTS

MARKS = {"pass": "pass", "warn": "WARN", "fail": "FAIL"}
"""How a verdict is written: what needs reading stands in capitals, so that a grey print shows it too."""


def audit_table(findings: pd.DataFrame, *, only: Sequence[str] = VERDICTS) -> pd.DataFrame:
    """Lay out the findings of `data.audit.run_audit`: columns Question, Verdict, Found, Images, What to do.

    `only` keeps the checks of some verdicts. The order is that of the checks.
    """
    rows = findings[findings["verdict"].isin(list(only))]
    return pd.DataFrame(
        {
            "Question": rows["check"].map(CHECKS),
            "Verdict": rows["verdict"].map(MARKS),
            "Found": rows["found"],
            "Images": rows["images"].map("{:,}".format),
            "What to do": rows["advice"],
        }
    ).reset_index(drop=True)


def summary(findings: pd.DataFrame) -> str:
    """Say in a sentence how the audit ended: `19 questions: 15 pass, 3 warn (overlay, ...), 1 fail (...)`."""
    parts = []
    for verdict in VERDICTS:
        names = findings.loc[findings["verdict"] == verdict, "check"].tolist()
        if verdict == "pass" or not names:
            parts.append(f"{len(names)} {verdict}")
        else:
            parts.append(f"{len(names)} {verdict} ({', '.join(names)})")
    return f"{len(findings)} questions: {', '.join(parts)}."


def audit_html(findings: pd.DataFrame, *, synthetic: bool, caption: str = "") -> str:
    """Write the audit as HTML: the table, SYNTHETIC DATA in bold where they are drawings, the sentence, and examples."""
    table = to_html(audit_table(findings), caption=caption)
    sentences = [summary(findings), *examples(findings)]
    return "\n".join([table, *synthetic_html(synthetic), *map(note_html, sentences)])


def notable_html(findings: pd.DataFrame) -> str:
    """Write what a reader of results must know of the audit, as HTML: its summary, and the checks that did not pass."""
    notable = audit_table(findings, only=("warn", "fail"))
    sentence = note_html(f"Audit of the data: {summary(findings)}")
    return to_html(notable) + sentence if len(notable) else sentence


def audit_markdown(findings: pd.DataFrame, *, synthetic: bool) -> str:
    """Write the audit as Markdown: the table, **SYNTHETIC DATA** where they are drawings, and the sentence."""
    mark = f"**{SYNTHETIC}**\n\n" if synthetic else ""
    return f"{to_markdown(audit_table(findings))}\n{mark}{summary(findings)}\n"


def examples(findings: pd.DataFrame) -> list[str]:
    """Name some images of each finding, a line each; all of them are in the audit's details."""
    rows = findings[(findings["verdict"] != "pass") & (findings["examples"] != "")]
    return [f"{row.check}, for example: {row.examples.replace(';', '; ')}" for row in rows.itertuples()]
