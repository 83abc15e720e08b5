"""Tables for people: what stands in them, what stands below them, and that odd names cannot break them."""

from html.parser import HTMLParser

import pandas as pd
import pytest
from fabricate_records import METRICS, estimates, record

from leukstudy.evaluate.published import NOT_COMPARABLE, published
from leukstudy.report.tables import (
    PUBLISHED,
    notes,
    results,
    results_table,
    shorten,
    split_statement,
    to_html,
    to_markdown,
)

ODD = '<b>A&B</b> | "c" *d*'


def seeded(**changes):
    return record(metrics=estimates(3), seeds=[7, 8, 9], **changes)


class Cells(HTMLParser):
    """Collects the tags and the text of a table, as a browser reads it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.text = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs).get("class", "")))

    def handle_data(self, data):
        self.text.append(data)


def test_results_table_puts_models_first_then_baselines_then_published():
    table = results_table([record("detection-colour", "baseline"), record()], published("detection"))
    assert table["Kind"].tolist()[:3] == ["model", "shortcut baseline", PUBLISHED]
    ours = table.iloc[0]
    assert ours["Experiment"] == "detection-cnn"
    assert ours["AUROC"] == "0.953 [0.903, 0.993]"
    assert (ours["Split level"], ours["Groups"], ours["Images"]) == ("patient", "12", "1200")
    quoted = table.set_index("Model").loc["DenseNet201"]
    assert quoted["Accuracy"] == "0.972"
    assert quoted["Recall (sensitivity)"] == "0.940"
    assert (quoted["Groups"], quoted["Images"]) == ("–", "–")
    assert quoted["Split level"] == "image-level, unnamed data"
    assert "Paper B" in quoted["Experiment"]


def test_metrics_nobody_has_are_left_out():
    assert "Specificity" not in results_table([record()])
    whole = record(metrics=estimates(**METRICS, specificity=0.5))
    column = results_table([whole, record("typing-cnn")])["Specificity"]
    assert column.tolist() == ["0.500 [0.450, 0.540]", "–"]


def test_a_value_without_an_interval_stands_alone_and_a_note_says_why():
    lone = record(metrics=estimates(interval=False))
    assert results_table([lone])["AUROC"].tolist() == ["0.953"]
    assert "No intervals" in split_statement(lone)
    assert "bootstrap" not in split_statement(lone)


def test_several_seeds_show_their_range_their_number_and_what_it_means():
    single = record("detection-forest", seeds=[7])
    table = results_table([seeded(), single], published("detection"))
    assert table["AUROC"].tolist()[:2] == ["0.953 [0.903, 0.993] (0.943–0.973)", "0.953 [0.903, 0.993]"]
    assert table["Seeds"].tolist()[:3] == ["3", "1", "–"]
    said = " ".join(notes([seeded(), single]))
    assert "mean over the seeds" in said
    assert "the same resampled patients for all seeds" in said
    html = to_html(table)
    assert (
        '0.953 <span class="interval">[0.903, 0.993]</span> <span class="interval">(0.943–0.973)</span>'
        in html
    )
    lone = to_html(results_table([record(metrics=estimates(3, interval=False), seeds=[7, 8, 9])]))
    assert '0.953 <span class="interval">(0.943–0.973)</span>' in lone
    assert "0.953 \\[0.903, 0.993\\] (0.943–0.973)" in results([seeded()]).markdown()


def test_one_seed_looks_as_it_did():
    table = results_table([record(seeds=[7]), record("b", seeds=[7])])
    assert "Seeds" not in table
    assert not any("seed" in note for note in notes([record(seeds=[7])]))


def test_ensembles_stand_between_models_and_baselines_with_their_members_named():
    combined = record("detection-both", "ensemble", model="mean of detection-cnn, detection-forest", seeds=[])
    mixed = [record("detection-colour", "baseline", seeds=[7]), combined, record(seeds=[7])]
    table = results_table(mixed)
    assert table["Kind"].tolist() == ["model", "ensemble", "shortcut baseline"]
    assert table["Model"].tolist()[1] == "mean of detection-cnn, detection-forest"
    assert any("fitted on the validation split alone" in note for note in notes(mixed))
    assert not any("Ensembles" in note for note in notes([record()]))
    assert results_table([seeded(), combined])["Seeds"].tolist() == ["3", "–"]
    assert 'class="kind-ensemble"' in to_html(table)


def test_no_experiment_is_refused():
    with pytest.raises(ValueError, match="no experiment"):
        results_table([], published("detection"))


def test_split_statement_names_the_level_and_claims_no_patients_without_patient_ids():
    assert split_statement(record()).startswith(
        "Split level: patient (no patient has images in more than one of training, validation and test). The test "
        "split holds 1,200 images of 12 patients. In brackets: 95% bootstrap intervals from 1,000 resamples of whole"
    )
    block = split_statement(record(level="block"))
    assert "name no patients" in block
    assert "12 blocks" in block
    assert "optimistic" in split_statement(record(level="image"))
    for level in ("block", "image"):
        assert "patient-level" not in split_statement(record(level=level))
        assert "resamples of whole patients" not in split_statement(record(level=level))


def test_notes_are_said_once_and_when_they_apply():
    said = notes([record(cautions=["few groups"]), record("b", cautions=["few groups"])])
    assert said.count("few groups") == 1
    assert len(said) == 2
    said = notes([record(), record("c", "baseline")], published("detection"))
    assert any("Shortcut baselines" in note for note in said)
    assert NOT_COMPARABLE in said
    assert "Paper B: Leukemia detection using deep learning: a DenseNet201-based approach." in said
    assert NOT_COMPARABLE not in notes([record()], published("no such question"))


def test_synthetic_data_is_bold_where_a_record_says_so():
    drawn, photographed = results([record(synthetic=True)]), results([record()])
    assert "<strong>SYNTHETIC DATA</strong>" in drawn.html()
    assert "**SYNTHETIC DATA**" in drawn.markdown()
    for text in (photographed.html(), photographed.markdown()):
        assert "SYNTHETIC" not in text


def test_html_marks_kinds_and_reads_back_as_the_table():
    table = results_table([record(), record("detection-colour", "baseline")], published("detection"))
    html = to_html(table, caption=ODD)
    cells = Cells(html)
    rows = [mark for tag, mark in cells.tags if tag == "tr"]
    assert rows[:4] == ["", "kind-model", "kind-shortcut", "kind-published"]
    assert [tag for tag, _ in cells.tags].count("th") == table.shape[1] + len(table)
    assert ODD in cells.text
    assert ("b", "") not in cells.tags
    assert "[0.903, 0.993]" in cells.text
    assert html == to_html(table, caption=ODD)


def test_odd_names_break_neither_html_nor_markdown():
    table = pd.DataFrame({"name": [ODD, "two\nlines"], ODD: [1, 2]})
    cells = Cells(to_html(table))
    assert cells.text.count(ODD) == 2
    assert {tag for tag, _ in cells.tags} == {"div", "table", "thead", "tbody", "tr", "th", "td"}
    lines = to_markdown(table).splitlines()
    assert len(lines) == 4
    assert r"&lt;b&gt;A&amp;B&lt;/b&gt; \| " in lines[2]
    assert r"\*d\*" in lines[2]
    assert lines[3] == "| two lines | 2 |"


def test_long_tables_are_cut_and_say_so():
    table = pd.DataFrame({"a": range(30), "b": range(30)})
    short = shorten(table, rows=20)
    assert len(short) == 21
    assert short.iloc[-1].tolist() == ["and 10 more", ""]
    assert short["b"].iloc[19] == 19
    assert shorten(table, rows=30) is table
