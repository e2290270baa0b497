"""Photographs of landmarks that are drawn, not taken.

They let the demo, the tests and training run without a download, and what is
true of them is known to the pixel.
"""

from delf_keras.datasets.synthetic.distractors import render_distractor
from delf_keras.datasets.synthetic.facades import render_landmark
from delf_keras.datasets.synthetic.photographs import write_photographs
from delf_keras.datasets.synthetic.views import View, render_view

__all__ = [
    "View",
    "render_distractor",
    "render_landmark",
    "render_view",
    "write_photographs",
]
