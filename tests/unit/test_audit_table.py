"""The audit as a table for people."""

import pandas as pd
import pytest

from leukstudy.audit.findings import Finding, details_table, findings_table
from leukstudy.report.audit_table import audit_html, audit_markdown, audit_table, examples, summary
from leukstudy.study.checks import CHECKS


@pytest.fixture
def findings():
    pairs = [(f"a<{k}>", f"b{k}", 0.99, "across split") for k in range(7)]
    found = [Finding(check, "pass", "None.") for check in CHECKS]
    found[0] = Finding(
        "exact_duplicates", "warn", "1,200 copies | all excluded.", "Ask.", [("a", "", 1.0, "x")]
    )
    found[1] = Finding("near_duplicates", "fail", "7 pairs.", "Group them.", pairs)
    return found


def test_findings_name_images_and_details_all_of_them(findings):
    table, details = findings_table(findings), details_table(findings)
    assert table["images"].tolist()[:3] == [1, 14, 0] and len(details) == 8
    assert table["examples"].iloc[1].split(";") == [f"a<{k}> = b{k}" for k in range(5)]
    assert details["check"].value_counts().to_dict() == {"near_duplicates": 7, "exact_duplicates": 1}


def test_a_line_a_question_with_its_verdict(findings):
    table = audit_table(findings_table(findings))
    assert table.columns.tolist() == ["Question", "Verdict", "Found", "Images", "What to do"]
    assert table["Question"].tolist() == list(CHECKS.values())
    assert table["Verdict"].tolist()[:3] == ["WARN", "FAIL", "pass"]
    assert len(audit_table(findings_table(findings), only=("fail",))) == 1


def test_the_sentence_names_what_did_not_pass(findings):
    assert summary(findings_table(findings)) == (
        f"{len(CHECKS)} questions: {len(CHECKS) - 2} pass, 1 warn (exact_duplicates), 1 fail (near_duplicates)."
    )


def test_html_and_markdown_escape_and_say_synthetic(findings):
    table = findings_table(findings)
    page = audit_html(table, synthetic=True, caption="The audit")
    assert "SYNTHETIC DATA" in page and "a&lt;0&gt; = b0" in page and "a<0>" not in page
    assert page.count("<tr") == len(CHECKS) + 1
    text = audit_markdown(table, synthetic=False)
    assert "SYNTHETIC" not in text and r"copies \| all" in text and text.count("\n| ") == 1 + len(CHECKS)
    assert examples(table)[0] == "exact_duplicates, for example: a"


def test_a_clean_audit_is_a_line_of_passes():
    table = findings_table([Finding(check, "pass", "None.") for check in CHECKS])
    assert summary(table) == f"{len(CHECKS)} questions: {len(CHECKS)} pass, 0 warn, 0 fail."
    assert examples(table) == [] and isinstance(audit_table(table), pd.DataFrame)


def test_the_evidence_is_shown_with_pairs_side_by_side(tmp_path):
    import matplotlib.pyplot as plt
    from fabricate import class_folders

    from leukstudy.report.audit_figures import plot_evidence

    manifest = class_folders(tmp_path, groups_per_class=1, images_per_group=3).assign(
        image_id=lambda t: t["path"].str[:-4]
    )
    one, other, third = manifest["image_id"].iloc[:3]
    pairs = [(one, other, 0.9, "x"), (one, third, 0.9, "y"), (other, third, 0.9, "z")]
    details = details_table([Finding("near_duplicates", "warn", "Pairs.", "", pairs), Finding("exposure", "warn", "One.", "", [(one, "", 1.0, "dark")])])  # fmt: skip
    fig = plot_evidence(details, manifest, tmp_path, per_check=2)
    shown = [ax.get_title() for ax in fig.axes if ax.images]
    assert len(shown) == 5 and shown[1].startswith("near duplicates\n") and "dark" in shown[4]
    (tmp_path / manifest["path"].iloc[0]).unlink()
    again = plot_evidence(details, manifest, tmp_path, per_check=2)
    assert len([ax for ax in again.axes if ax.images]) == 2
    plt.close("all")
