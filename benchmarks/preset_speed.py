"""How fast presets extract, beside each other.

The rounds alternate and the best of each preset counts, so that other work on
the machine disturbs all alike.

    python benchmarks/preset_speed.py --data=landmarks \
        --presets=delf_tiny,delf_resnet50_imagenet --weights=resnet50_notop.h5
"""

import tempfile
from pathlib import Path

from absl import app, flags
from extraction_speed import best_seconds, photographs

from delf_keras import Extractor
from delf_keras.benchmarking.recording import record
from delf_keras.models.presets import find_preset

RESULTS = Path(__file__).parent / "results"
FLAGS = flags.FLAGS
flags.DEFINE_list("presets", None, "Presets, of which the last is the peer.")


def main(_):
    extractors = {name: make_extractor(name) for name in FLAGS.presets}
    with tempfile.TemporaryDirectory() as folder:
        paths = photographs(folder)
        seconds = best_seconds(
            {
                name: lambda extractor=extractor: extractor.extract(paths)
                for name, extractor in extractors.items()
            }
        )
    slowest = seconds[FLAGS.presets[-1]]
    figures = {}
    for name, each in seconds.items():
        rate, ratio = len(paths) / each, slowest / each
        print(f"{name}: {rate:.2f} images/s, {ratio:.1f} times its peer's")
        figures[name] = {"images_per_second": rate, "ratio": ratio}
    record("preset_speed", figures, RESULTS, FLAGS.json)


def make_extractor(name):
    """Returns the extractor of a preset; ImageNet's is given the weights."""
    has_files = find_preset(name).folder is not None
    return Extractor.from_preset(
        name,
        weights=None if has_files else FLAGS.weights,
        max_image_size=FLAGS.max_image_size,
    )


if __name__ == "__main__":
    flags.mark_flag_as_required("presets")
    app.run(main)
