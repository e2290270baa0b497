"""Runs under Bazel the test files that are named on the command line."""

import sys

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main(sys.argv[1:]))
