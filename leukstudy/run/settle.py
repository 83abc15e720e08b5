"""What an executed notebook keeps: nothing that differs from one run to the next, so that equal runs give equal bytes."""

import textwrap

from leukstudy.study.notebooks import nbformat

WIDTH = 110  # columns of the cell that shows a stage's parameters


def settle(notebook: nbformat.NotebookNode, parameters: dict) -> None:
    """Remove times, random ids and stderr from an executed notebook, in place, and lay out its cell of `parameters`."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for index, cell in enumerate(notebook.cells):
        cell.id = f"cell-{index:02d}"
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        cell.outputs = _joined([o for o in cell.outputs if o.get("name") != "stderr"])
        if "injected-parameters" in cell.metadata.get("tags", []):
            assignments = (f"{name} = {_laid_out(value)}" for name, value in parameters.items())
            cell.source = "\n".join(["# This stage's part of params.yaml", *assignments])


def _joined(outputs: list) -> list:
    """Join neighbouring stdout outputs: how the kernel cuts a stream into messages depends on timing."""
    joined: list = []
    for output in outputs:
        if joined and output.output_type == joined[-1].output_type == "stream":
            joined[-1]["text"] += output["text"]
        else:
            joined.append(output)
    return joined


def _laid_out(value: object, indent: int = 0) -> str:
    """Write a value as Python: what fits on a line on one line, an outer dict one key a line, inner ones filled."""
    flat = repr(value)
    if not isinstance(value, dict) or indent + len(flat) <= WIDTH - 30:
        return flat
    inside = " " * (indent + 4)
    items = [f"{key!r}: {_laid_out(item, indent + 4)}," for key, item in value.items()]
    if not any("\n" in item for item in items):
        # textwrap breaks at blanks: those within an item are hidden from it
        hidden = " ".join(item.replace(" ", "\0") for item in items)
        items = [line.replace("\0", " ") for line in textwrap.wrap(hidden, WIDTH - indent)]
    return "{\n" + "\n".join(inside + item for item in items) + "\n" + " " * indent + "}"
