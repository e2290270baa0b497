"""The command itself: its verbs, exit codes and messages."""

import importlib
import os
import subprocess
import sys

import pytest
from absl import flags as absl_flags

from delf_keras.cli import main as main_module
from delf_keras.cli import presets
from delf_keras.cli.main import VERBS

EXTRACTION = {
    "preset",
    "weights",
    "max_features",
    "score_threshold",
    "iou_threshold",
    "max_image_size",
    "min_image_size",
    "global_power",
    "scales",
    "precision",
    "upright",
}
FOLDERS = {"photos", "output"}
INDEX = {
    "factory",
    "probes",
    "recall",
    "pca_dimension",
    "whiten",
    "words",
    "binary",
    "descriptor_type",
    "augmentation",
    "seed",
}
SEARCH = {
    "neighbors",
    "vote_weighting",
    "background",
    "first_score",
    "global_weight",
    "global_expansion",
    "candidates",
    "putatives",
    "max_distance",
    "model",
    "threshold",
    "max_iterations",
    "ransac_seed",
    "ranking",
    "expansion",
}
FLAGS = {
    "extract": EXTRACTION
    | FOLDERS
    | {"server", "tfhub", "batch_size", "format", "pca", "overwrite"},
    "match": EXTRACTION | {"picture", "model", "threshold", "max_ratio"},
    "index": EXTRACTION | FOLDERS | INDEX | {"server", "tfhub", "batch_size"},
    "beam-index": EXTRACTION
    | FOLDERS
    | INDEX
    | {"server", "tfhub", "saved_model", "batch_size"}
    | {"tfrecords", "image_key", "name_key", "root", "work_dir"},
    "index-add": {"index", "photos", "replace", "batch_size"}
    | {"server", "tfhub"},
    "index-remove": {"index"},
    "index-compact": {"index", "output"},
    "index-info": {"index", "json", "verify"},
    "milvus-fill": {"index", "uri", "collection", "index_type"}
    | {"lists", "subvectors", "bits"},
    "search": {
        "server",
        "tfhub",
        "index",
        "query",
        "json",
        "picture",
        "top",
        "milvus",
        "milvus_collection",
    }
    | SEARCH,
    "evaluate": {"gnd", "ranks", "name", "json"},
    "benchmark": EXTRACTION
    | INDEX
    | SEARCH
    | {"dataset", "data_dir", "download", "learn_on", "batch_size"}
    | {"work_dir", "json", "ranks", "pages", "curves", "results"},
    "presets": set(),
    "dataset": {"name", "data_dir", "manual_dir"}
    | {"describe", "list", "workers"},
    "train": {
        "attention_weight",
        "autoencoder",
        "batch_size",
        "blur",
        "clip_norm",
        "colour",
        "crop",
        "data_dir",
        "dataset",
        "depth",
        "description",
        "epochs",
        "eval_set",
        "features",
        "flip",
        "gammas",
        "grey",
        "half",
        "image_root",
        "image_size",
        "keep",
        "label_smoothing",
        "learning_rate",
        "licence",
        "max_image_size",
        "min_area",
        "monitor",
        "num_classes",
        "optimizer",
        "output",
        "pca_dimension",
        "pooling",
        "precision",
        "preset",
        "reconstruction_weight",
        "relabeling",
        "resize_size",
        "schedule",
        "seed",
        "stage",
        "steps",
        "steps_per_epoch",
        "strategy",
        "stride_placement",
        "tensorboard",
        "validation",
        "validation_fraction",
        "weight_decay",
        "weights",
        "whiten",
        "width",
    },
    "fit-pca": EXTRACTION
    | FOLDERS
    | {"batch_size", "dimension", "whiten", "seed"},
    "import": {
        "from",
        "output",
        "pca",
        "pca_folder",
        "pca_dimension",
        "score_threshold",
        "output_stride",
    },
    "export": EXTRACTION
    | {"output", "version", "max_image_mb", "max_megapixels"},
    "serve": {
        "model",
        "model_name",
        "host",
        "grpc_port",
        "rest_port",
        "versions",
        "labels",
        "max_batch_size",
        "batch_timeout_ms",
        "threads",
        "max_queued",
        "max_message_mb",
        "poll_seconds",
        "grace_seconds",
    },
    "demo": {"photos", "query", "weights", "output"},
}


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("help",)])
def test_overview(command, arguments):
    finished = command(*arguments)
    assert finished.code == 0
    assert finished.err == ""
    first_words = [
        line.split()[0]
        for line in finished.out.splitlines()
        if line[:2] == "  "
    ]
    assert first_words == list(VERBS)


def test_arguments_of_the_process(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["delf-keras", "presets"])
    assert main_module.main() == 0
    assert "delf_resnet50_imagenet" in capsys.readouterr().out


def test_unknown_verb(command):
    finished = command("extarct", "--preset=x")
    assert finished.code == 2
    assert finished.out == ""
    (line,) = finished.err.splitlines()
    assert line.endswith("Received: extarct")
    assert all(verb in line for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help(command, verb):
    finished = command(verb, "--help")
    assert finished.code == 0
    assert finished.err == ""
    assert f"\n    delf-keras {verb}" in finished.out
    for flag in FLAGS[verb]:
        assert f"--{flag}:" in finished.out or f"--[no]{flag}:" in finished.out


@pytest.mark.parametrize("verb", VERBS)
def test_flags_are_its_own(command, verb):
    """It defines what it needs, and nothing where other verbs see it."""
    everywhere = set(absl_flags.FLAGS)
    flags = absl_flags.FlagValues()
    module = importlib.import_module(f"delf_keras.cli.{verb.replace('-', '_')}")
    module.define_flags(flags)
    command(verb, "--help")

    assert set(flags) == FLAGS[verb]
    assert set(absl_flags.FLAGS) == everywhere


@pytest.mark.parametrize("verb", VERBS)
def test_unknown_flag(refused, verb):
    message = refused(verb, "--flavour=red", code=2)
    assert "'flavour'" in message
    assert message.endswith(f"delf-keras {verb} --help")


@pytest.mark.parametrize(
    ("verb", "required"),
    [
        ("extract", ("preset", "photos", "output")),
        ("index", ("preset", "photos", "output")),
        ("beam-index", ("output",)),
        ("fit-pca", ("preset", "photos", "output")),
        ("search", ("index", "query")),
        ("import", ("from", "output")),
        ("export", ("preset", "output")),
        ("serve", ("model",)),
        ("benchmark", ("preset", "dataset")),
    ],
)
def test_required_flags_are_named_in_one_line(refused, verb, required):
    message = refused(verb, code=2)
    assert all(f"--{name}" in message for name in required)


@pytest.mark.parametrize(
    ("verb", "flag"),
    [
        ("match", "--max_features=0"),
        ("match", "--precision=float16"),
        ("match", "--model=rigid"),
        ("match", "--scales=1,two"),
        ("search", "--top=0"),
        ("index", "--seed=one"),
    ],
)
def test_wrong_value(refused, verb, flag):
    name, value = flag.split("=")
    message = refused(verb, flag, code=2)
    assert name.removeprefix("--") in message
    assert value.split(",")[-1] in message


@pytest.mark.parametrize("verb", sorted({*VERBS} - {"match", "index-remove"}))
def test_stray_arguments(refused, verb):
    required = {
        "index-add": ("--index=x", "--photos=x"),
        "index-compact": ("--index=x",),
        "index-info": ("--index=x",),
        "milvus-fill": ("--index=x", "--uri=x.db"),
        "extract": ("--preset=p", "--photos=p", "--output=o"),
        "index": ("--preset=p", "--photos=p", "--output=o"),
        "beam-index": ("--preset=p", "--photos=p", "--output=o"),
        "fit-pca": ("--preset=p", "--photos=p", "--output=o"),
        "search": ("--index=i", "--query=q"),
        "import": ("--from=f", "--output=o"),
        "export": ("--preset=p", "--output=o"),
        "serve": ("--model=m",),
        "evaluate": ("--gnd=g", "--ranks=r"),
        "benchmark": ("--preset=p", "--dataset=d"),
        "train": ("--dataset=folder:p", "--stage=joint", "--output=o"),
    }
    message = refused(verb, *required.get(verb, ()), "stray")
    assert "Received: " in message and "stray" in message


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Expected more.\n\n  Received: less\n"),
        FileNotFoundError("Received: nowhere"),
        ImportError("pip install it"),
    ],
)
def test_bad_input_is_one_line(refused, monkeypatch, error):
    def run(flags, args):
        raise error

    monkeypatch.setattr(presets, "run", run)
    assert refused("presets") == " ".join(str(error).split())


def test_errors_of_the_program_itself_are_not_hidden(command, monkeypatch):
    def run(flags, args):
        raise KeyError("no such attribute")

    monkeypatch.setattr(presets, "run", run)
    with pytest.raises(KeyError):
        command("presets")


def test_interruption(refused, monkeypatch):
    def run(flags, args):
        raise KeyboardInterrupt

    monkeypatch.setattr(presets, "run", run)
    assert refused("presets", code=130) == "interrupted."


def test_overview_is_quick():
    """It imports nothing large."""
    program = (
        "import sys; from delf_keras.cli.main import main; main(['--help']); "
        "print(*{'tensorflow', 'keras', 'faiss', 'h5py'} & {*sys.modules})"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.splitlines()[-1] == ""


def test_process_says_nothing_but_what_we_say(photos, small, tmp_path):
    """TensorFlow's own messages do not get through to the user."""
    (photos / "broken.jpg").write_bytes(b"no image")
    output = tmp_path / "features.h5"
    environment = {**os.environ}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "delf_keras.cli.main", "extract"),
            *small,
            f"--photos={photos}",
            "--format=h5",
            f"--output={output}",
        ],
        capture_output=True,
        text=True,
        env=environment,
    )
    skipped, progress = finished.stderr.splitlines()
    assert skipped.startswith("Skipped: ") and "broken.jpg" in skipped
    assert progress.startswith("extract: 4 of 4 in ")
    assert finished.stdout == (
        f"{output}: 3 photographs extracted, 0 kept, 1 skipped.\n"
    )
    assert finished.returncode == 0
