"""Indexes and searches photographs, from nothing, and draws the result.

    delf-keras demo --output=demo
    delf-keras demo --photos=FOLDER --query=PHOTO --weights=FILE --output=demo

Without photographs it renders its own: views of several buildings, and
pictures of other things. Without the ImageNet weights of ResNet50 in --weights
it takes the small network that comes with the package, which knows rendered
buildings best.
"""

import shlex
import sys
from pathlib import Path

from absl import flags as absl_flags

EMBEDDED_PRESET = "delf_tiny"
IMAGENET_PRESET = "delf_resnet50_imagenet"


def define_flags(flags):
    """Defines the flags of this verb."""
    strings = {
        "photos": "Folder of photographs; rendered ones if not given.",
        "query": "Photograph to search for.",
        "weights": "Local file of the ImageNet weights of ResNet50.",
    }
    for name, text in strings.items():
        absl_flags.DEFINE_string(name, None, text, flag_values=flags)
    absl_flags.DEFINE_string(
        "output", "demo", "Folder to work in.", flag_values=flags
    )


def run(flags, args):
    """Runs the demonstration."""
    if args:
        raise ValueError(f"demo takes no arguments. Received: {args}")
    if bool(flags.photos) != bool(flags.query):
        raise ValueError(
            "A folder of photographs and a query go together. Received: "
            f"photos={flags.photos}, query={flags.query}"
        )
    output = Path(flags.output)
    output.mkdir(parents=True, exist_ok=True)
    photos, query = flags.photos, flags.query
    if not photos:
        photos, query = _render(output)
    index = _unused(output / "index")
    picture = output / "result.png"
    steps = (
        ("index", f"--photos={photos}", f"--output={index}")
        + _model_flags(flags.weights),
        ("search", f"--index={index}", f"--query={query}")
        + (f"--picture={picture}", "--top=8"),
    )
    for step in steps:
        code = _run_step(step)
        if code:
            return code
    print(f"\nThe picture of the result: {picture}")
    return 0


def _render(output):
    from delf_keras.datasets.synthetic import write_photographs

    folder = output / "photographs"
    print(f"Rendering photographs into {folder}", flush=True)
    # The query is a view that the index does not hold.
    (output / "query").mkdir(exist_ok=True)
    query = output / "query" / "landmark_00_view_4.jpg"
    paths = write_photographs(folder, num_landmarks=6, views_per_landmark=5)
    (folder / query.name).replace(query)
    print(f"{len(paths) - 1} photographs, and a query: {query}", flush=True)
    return folder, query


def _model_flags(weights):
    """Chooses the model: the large one if its weights are given."""
    if weights:
        return f"--preset={IMAGENET_PRESET}", f"--weights={weights}"
    print(
        f"The small network {EMBEDDED_PRESET} is used. For real photographs: "
        "make demo WEIGHTS=FILE, with the ImageNet weights of ResNet50",
        file=sys.stderr,
    )
    return (f"--preset={EMBEDDED_PRESET}",)


def _unused(folder):
    """Returns the folder, or one of that name with a number, that is free."""
    candidate, number = folder, 1
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}_{number}")
    return candidate


def _run_step(arguments):
    from delf_keras.cli.main import main

    print(f"\n$ delf-keras {shlex.join(arguments)}", flush=True)
    return main(arguments)
