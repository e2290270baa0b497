"""Exports an extractor for TensorFlow Serving.

    python export/export_saved_model.py --preset=delf_tiny --output=models/delf

This is `delf-keras export`, for those who deploy from a checkout, and takes
its flags: --help lists them.
"""

import sys

from delf_keras.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["export", *sys.argv[1:]]))
