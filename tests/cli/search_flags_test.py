"""Every option of a search is a flag."""

import dataclasses

import pytest
from absl import flags as absl_flags

from delf_keras.cli.search_flags import define_search_flags, search_options
from delf_keras.search_options import SearchOptions


def parse(*arguments):
    flags = absl_flags.FlagValues()
    define_search_flags(flags)
    flags(["command", *arguments])
    return search_options(flags)


def test_defaults_are_those_of_the_library():
    assert parse() == SearchOptions()


def test_each_option():
    received = parse(
        "--neighbors=60",
        "--vote_weighting=count",
        "--nobackground",
        "--model=affine",
        "--threshold=12.5",
        "--ransac_seed=3",
        "--expansion=0",
    )
    assert received == dataclasses.replace(
        SearchOptions(),
        neighbors=60,
        vote_weighting="count",
        background=False,
        model="affine",
        threshold=12.5,
        seed=3,
        expansion=0,
    )


def test_unknown_choice():
    with pytest.raises(absl_flags.IllegalFlagValueError, match="model"):
        parse("--model=rigid")


def test_out_of_range():
    with pytest.raises(ValueError, match="Received: neighbors=0"):
        parse("--neighbors=0")
