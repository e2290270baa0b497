"""The flags that every verb shares which extracts features."""

import logging

import pytest
from absl import flags as absl_flags

from delf_keras.cli.extraction_flags import (
    define_extraction_flags,
    define_folder_flags,
    make_extractor,
    usable,
)
from delf_keras.features.decoding import ImageError
from delf_keras.features.extraction_options import ExtractionOptions


def _parse(*arguments, default_preset=None):
    flags = absl_flags.FlagValues()
    define_extraction_flags(flags, default_preset)
    flags(["verb", *arguments])
    return flags


def test_defaults_are_the_library_s(tiny_preset):
    extractor = make_extractor(_parse(f"--preset={tiny_preset}"))
    assert extractor.options == ExtractionOptions()


def test_every_flag_arrives(tiny_preset):
    extractor = make_extractor(
        _parse(
            f"--preset={tiny_preset}",
            "--max_features=7",
            "--score_threshold=1.5",
            "--iou_threshold=0.5",
            "--max_image_size=0",
            "--scales=0.5,1",
            "--precision=bfloat16",
            "--noupright",
        )
    )
    assert extractor.options == ExtractionOptions(
        max_features=7,
        score_threshold=1.5,
        iou_threshold=0.5,
        max_image_size=0,
        scales=(0.5, 1.0),
        precision="bfloat16",
        upright=False,
    )


def test_score_threshold_of_the_preset(tiny_model, tmp_path):
    from delf_keras.features.extractor import Extractor

    folder = tmp_path / "preset"
    options = ExtractionOptions(score_threshold=3.0)
    Extractor(tiny_model, options=options).save_to_preset(folder)

    flags = _parse(f"--preset={folder}")
    assert make_extractor(flags).options.score_threshold == 3
    flags = _parse(f"--preset={folder}", "--score_threshold=0")
    assert make_extractor(flags).options.score_threshold == 0


def test_overrides(fitted):
    flags = _parse(f"--preset={fitted}")
    assert make_extractor(flags).pca.dimension == 16
    assert make_extractor(flags, pca=False).pca is None


def test_weights_arrive(tiny_preset):
    """A preset folder has weights of its own, and takes no others."""
    flags = _parse(f"--preset={tiny_preset}", "--weights=some.h5")
    with pytest.raises(ValueError, match="Received: .*some.h5"):
        make_extractor(flags)


def test_preset_is_required_where_there_is_no_default():
    assert _parse(default_preset="a").preset == "a"
    with pytest.raises(absl_flags.IllegalFlagValueError, match="--preset"):
        _parse()


def test_folders_are_required():
    flags = absl_flags.FlagValues()
    define_folder_flags(flags, "What is written.")
    with pytest.raises(absl_flags.IllegalFlagValueError, match="--output"):
        flags(["verb", "--photos=p"])
    flags(["verb", "--photos=p", "--output=o"])
    assert (flags.photos, flags.output) == ("p", "o")


def test_usable_logs_what_is_left_out(caplog):
    results = [("a", "features"), ("b", ImageError("b is no image"))]
    with caplog.at_level(logging.WARNING):
        assert list(usable(results)) == ["features"]
    assert caplog.messages == ["Skipped: b is no image"]
