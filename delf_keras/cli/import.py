"""Turns weights of Google's DELF into a preset.

    delf-keras import --from=delf_v1_20171026 --output=my_preset

--from is the URL of a TF-Hub module (https://tfhub.dev/google/delf/1) or a
local folder of one, an export of tensorflow/models with its PCA beside it
(delf_v1_20171026, delf_gld_20190411), or a checkpoint of TensorFlow 1 or 2.
The preset is trained, exported and searched with as any other. Variables
without a place in the network are listed.
"""

from absl import flags as absl_flags


def define_flags(flags):
    """Defines the flags of this verb."""
    strings = {
        "from": "URL, folder or checkpoint of the weights.",
        "output": "Preset folder to write.",
        "pca_folder": "Folder of mean.datum, pca_proj_mat.datum and "
        "pca_variances.datum; that beside the weights if not given.",
    }
    for name, text in strings.items():
        absl_flags.DEFINE_string(name, None, text, flag_values=flags)
    absl_flags.mark_flags_as_required(["from", "output"], flag_values=flags)
    absl_flags.DEFINE_bool(
        "pca", True, "Whether to import the PCA.", flag_values=flags
    )
    absl_flags.DEFINE_integer(
        "pca_dimension",
        None,
        "Components of the PCA; what the weights' configuration says, or "
        "else 40.",
        lower_bound=1,
        flag_values=flags,
    )
    absl_flags.DEFINE_float(
        "score_threshold",
        None,
        "Lowest attention score; what the weights' configuration says, or "
        "else 100 for a trained attention.",
        flag_values=flags,
    )
    absl_flags.DEFINE_enum(
        "output_stride",
        "32",
        ["16", "32"],
        "Of a model of TensorFlow 2: 16 without block3_strides.",
        flag_values=flags,
    )


def run(flags, args):
    """Converts the weights and writes the preset."""
    from pathlib import Path

    from delf_keras.convert.importing import import_weights, save_imported

    if args:
        raise ValueError(f"import takes no arguments. Received: {args}")
    if Path(flags.output).exists():
        raise FileExistsError(
            f"The preset folder exists already. Received: {flags.output}"
        )
    source = flags["from"].value
    imported = import_weights(
        source,
        pca=flags.pca_folder if flags.pca else False,
        pca_dimension=flags.pca_dimension,
        score_threshold=flags.score_threshold,
        output_stride=int(flags.output_stride),
    )
    save_imported(imported, flags.output, source)
    if imported.left_out:
        print(f"Left out, of no use here: {len(imported.left_out)} variables")
        for name in imported.left_out:
            print(f"  {name}")
    model = imported.model
    projected = f"PCA to {imported.pca.dimension}" if imported.pca else "no PCA"
    print(
        f"{flags.output}: ResNet of depth {model.backbone.depth}, "
        f"{model.get_config()['attention']} attention, {projected}, score "
        f"threshold {imported.score_threshold:g}."
    )
    return 0
