"""Fixtures of the tests of the deployer's folder."""

from pathlib import Path

import pytest
import yaml


@pytest.fixture(scope="session")
def export_folder():
    """The folder `export/` of the project."""
    return Path(__file__).parents[2] / "export"


@pytest.fixture(scope="session")
def compose(export_folder):
    """The services of docker-compose.yml."""
    text = (export_folder / "docker-compose.yml").read_text()
    return yaml.safe_load(text)["services"]
