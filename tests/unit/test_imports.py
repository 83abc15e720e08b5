"""What is imported, and what is not: every stage is two fresh processes, which pay for each import."""

import subprocess
import sys

import pytest


def test_the_grammar_that_is_hidden_from_nbformat_can_be_imported_afterwards():
    code = "import leukstudy.study.notebooks, rfc3987_syntax, sys; print('jsonschema' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import leukstudy.runner", ("pandas", "matplotlib", "IPython", "rfc3987_syntax", "cv2", "skimage")),
        ("from leukstudy.report import plots; plots.apply_style()", ("seaborn", "scipy", "sklearn")),
        ("import leukstudy.report.compose", ("seaborn", "scipy", "sklearn", "tensorflow")),
        (
            "import leukstudy.audit.run, leukstudy.data.catalogue",
            ("scipy", "sklearn", "matplotlib", "tensorflow"),
        ),
    ],
)
def test_what_a_stage_does_not_need_is_not_imported(code, heavy):
    said = f"{code}; import sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
