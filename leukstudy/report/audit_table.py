"""The audit for people: a verdict a line, what was found, what to do, as HTML and as Markdown."""

from collections.abc import Sequence

import pandas as pd

from leukstudy.report.tables import Section, note_html, to_html
from leukstudy.study.checks import CHECKS, VERDICTS

MARKS = {"pass": "pass", "warn": "WARN", "fail": "FAIL"}
"""How a verdict is written: what needs reading stands in capitals, so that a grey print shows it too."""


def audit_table(findings: pd.DataFrame, *, only: Sequence[str] = VERDICTS) -> pd.DataFrame:
    """Lay out the findings of `audit.run.run_audit`: columns Question, Verdict, Found, Images, What to do.

    `only` keeps the checks of some verdicts. The order is that of the checks.
    """
    rows = findings[findings["verdict"].isin(list(only))].reset_index(drop=True)
    table = pd.DataFrame({"Question": rows["check"].map(CHECKS), "Verdict": rows["verdict"].map(MARKS)})
    images = rows["images"].map("{:,}".format)
    return table.assign(Found=rows["found"], Images=images, **{"What to do": rows["advice"]})


def summary(findings: pd.DataFrame) -> str:
    """Say in a sentence how the audit ended: `19 questions: 15 pass, 3 warn (overlay, ...), 1 fail (...)`."""
    parts = []
    for verdict in VERDICTS:
        names = findings.loc[findings["verdict"] == verdict, "check"].tolist()
        listed = f" ({', '.join(names)})" if names and verdict != "pass" else ""
        parts.append(f"{len(names)} {verdict}{listed}")
    return f"{len(findings)} questions: {', '.join(parts)}."


def audit_html(findings: pd.DataFrame, *, synthetic: bool, caption: str = "") -> str:
    """Write the audit as HTML: the table, SYNTHETIC DATA in bold where they are drawings, the sentence, and examples."""
    notes = [summary(findings), *examples(findings)]
    return Section(audit_table(findings), notes, synthetic, caption).html()


def notable_html(findings: pd.DataFrame) -> str:
    """Write what a reader of results must know of the audit, as HTML: its summary, and the checks that did not pass."""
    notable = audit_table(findings, only=("warn", "fail"))
    sentence = note_html(f"Audit of the data: {summary(findings)}")
    return to_html(notable) + sentence if len(notable) else sentence


def audit_markdown(findings: pd.DataFrame, *, synthetic: bool) -> str:
    """Write the audit as Markdown: the table, **SYNTHETIC DATA** where they are drawings, and the sentence."""
    return Section(audit_table(findings), [summary(findings)], synthetic).markdown()


def examples(findings: pd.DataFrame) -> list[str]:
    """Name some images of each finding, a line each; all of them are in the audit's details."""
    rows = findings[(findings["verdict"] != "pass") & (findings["examples"] != "")]
    return (rows["check"] + ", for example: " + rows["examples"].str.replace(";", "; ")).tolist()
