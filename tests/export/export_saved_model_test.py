"""The script of the deployer's folder is the verb export."""

import runpy
import sys

import pytest


@pytest.mark.parametrize("code", [0, 1])
def test_it_hands_its_arguments_to_the_verb(monkeypatch, export_folder, code):
    received = []

    def main(arguments):
        received.append(arguments)
        return code

    script = str(export_folder / "export_saved_model.py")
    monkeypatch.setattr("delf_keras.cli.main.main", main)
    monkeypatch.setattr(sys, "argv", [script, "--preset=p", "--output=o"])

    with pytest.raises(SystemExit) as ended:
        runpy.run_path(script, run_name="__main__")

    assert received == [["export", "--preset=p", "--output=o"]]
    assert ended.value.code == code
