"""What is said of the published files holds together."""

import re
import subprocess
import sys

import pytest

from delf_keras.datasets.published import (
    BROKEN,
    GROUND_TRUTH,
    PHOTOGRAPH_COUNTS,
    PHOTOGRAPHS,
    Published,
)
from delf_keras.evaluation import load_revisited


@pytest.mark.parametrize("table", [PHOTOGRAPHS, GROUND_TRUTH])
def test_every_file_has_an_address_and_a_checksum_or_none(table):
    for published in table.values():
        assert re.match("https?://[^/]+/.*[^/]$", published.url)
        for name, md5 in zip(published.names, published.md5, strict=True):
            assert re.fullmatch(r"[\w.-]+\.(tgz|tar\.gz|pkl|txt)", name)
            assert md5 is None or re.fullmatch("[0-9a-f]{32}", md5)


def test_checksums_are_for_each_file_or_for_none():
    assert Published("http://a", ("b", "c"), "d").md5 == (None, None)
    with pytest.raises(ValueError, match=r"2 files. Received: len\(md5\)=1"):
        Published("http://a", ("b", "c"), "d", md5=("0" * 32,))


@pytest.mark.parametrize(
    ("name", "revisited"), [("oxford5k", "roxford5k"), ("paris6k", "rparis6k")]
)
def test_numbers_are_those_of_the_ground_truth(test_data, name, revisited):
    truth = load_revisited(test_data / f"revisitop_gnd/gnd_{revisited}.pkl")
    names = {*truth.image_names, *truth.query_names}
    assert len(names) == PHOTOGRAPH_COUNTS[name]
    assert not names & BROKEN[name]
    landmarks = {each.rpartition("_")[0] for each in names}
    assert {each.rpartition("_")[0] for each in BROKEN[name]} <= landmarks


def test_tensorflow_is_not_needed():
    code = (
        "import sys, delf_keras.datasets.published; "
        "sys.exit('tensorflow_datasets' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
