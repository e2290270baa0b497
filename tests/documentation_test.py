"""Docstrings that users read."""

import inspect

import pytest

from delf_keras import documentation as module
from delf_keras.documentation import documentation


class Documented:
    """A summary.

    What follows.
    """


@pytest.mark.parametrize("documented", [module, Documented])
def test_it_is_the_docstring(documented, monkeypatch):
    expected = inspect.cleandoc(documented.__doc__)
    monkeypatch.setattr(documented, "__doc__", None)
    assert documentation(documented) == expected
