"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def test_data():
    """The folder of real photographs, weights and references."""
    folder = os.environ.get("DELF_TEST_DATA")
    if not folder:
        pytest.skip("DELF_TEST_DATA does not name a folder of test data")
    if not Path(folder).is_dir():
        pytest.skip(f"DELF_TEST_DATA names no folder: {folder}")
    return Path(folder)
