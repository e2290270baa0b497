"""What each method of retrieval adds, over several seeds."""
from absl import app, flags
from raw_features import raw_features

from delf_keras import Extractor
from delf_keras.datasets.benchmarks import open_benchmark

FLAGS = flags.FLAGS
flags.DEFINE_string("data", None, "Folder with jpg/ and gnd_*.pkl.")
flags.DEFINE_string("preset", "delf_resnet50_imagenet", "Preset.")
flags.DEFINE_string("weights", None, "ImageNet weights for the preset.")
flags.DEFINE_string("work_dir", None, "Where features are kept.")
flags.DEFINE_integer("image_size", 640, "Pixels of the longer side.")


def main(_):
    benchmark = open_benchmark(FLAGS.data)
    extractor = Extractor.from_preset(
        FLAGS.preset,
        weights=FLAGS.weights,
        pca=False,
        max_image_size=FLAGS.image_size,
        min_image_size=FLAGS.image_size,
        global_power=3.0,
    )
    raw_features(benchmark, extractor, FLAGS.work_dir)


if __name__ == "__main__":
    flags.mark_flags_as_required(["data", "work_dir"])
    app.run(main)
