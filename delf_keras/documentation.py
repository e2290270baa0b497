"""Docstrings that users read, also where Python drops them."""

import ast
import inspect
import textwrap


def documentation(documented):
    """Returns the docstring of a module or class from its source.

    `python -OO` and `PYTHONOPTIMIZE=2` leave `__doc__` empty.

    Args:
        documented: Module or class that has a docstring.

    Returns:
        str, without the indentation of the source.
    """
    tree = ast.parse(textwrap.dedent(inspect.getsource(documented)))
    if inspect.ismodule(documented):
        # That of a module is indented only where it means it.
        return ast.get_docstring(tree, clean=False).rstrip()
    return ast.get_docstring(tree.body[0])
