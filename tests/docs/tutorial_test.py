"""The tutorial runs from its first cell to its last, and teaches something."""

import re
from pathlib import Path

import nbclient
import nbformat
import pytest

TUTORIAL = Path(__file__).parents[2] / "docs" / "DeLF_train_tutorial.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook after it was run in a folder of its own."""
    notebook = nbformat.read(TUTORIAL, as_version=4)
    folder = tmp_path_factory.mktemp("tutorial")
    client = nbclient.NotebookClient(
        notebook,
        timeout=600,
        resources={"metadata": {"path": str(folder)}},
    )
    return client.execute()


def outputs(notebook):
    return [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]


def test_it_searches_better_after_training(executed):
    text = "".join(
        output.text
        for output in outputs(executed)
        if output.output_type == "stream"
    )
    shares = re.findall(r"(\d+) % of the results are right", text)
    before, after = map(int, shares)
    assert after >= before + 5


def test_it_shows_curves_attention_and_a_search(executed):
    pictures = [
        output
        for output in outputs(executed)
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 5
