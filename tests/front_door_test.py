"""`import delf_keras` is light, and gives what it promises."""

import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import delf_keras

IMPORT = """
import sys
import delf_keras
assert set(delf_keras.__all__) <= set(dir(delf_keras)), dir(delf_keras)
heavy = {"tensorflow", "keras", "numpy", "faiss", "cv2", "matplotlib", "h5py"}
print(*heavy & set(sys.modules))
"""

LOAD = """
import sys
import delf_keras
import keras
print(*(name for name in keras.saving.get_custom_objects() if "delf" in name))
for path in sys.argv[1:]:
    print(path, keras.saving.load_model(path).compiled)
"""
REGISTERED = re.compile(
    r"^@.*register_keras_serializable.*\n(?:class|def) (\w+)", re.MULTILINE
)


def test_import_is_light():
    """It brings neither TensorFlow nor anything else that is large."""
    modules = subprocess.run(
        [sys.executable, "-c", IMPORT],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert not modules


@pytest.mark.parametrize("name", delf_keras.__all__)
def test_names_are_found(name):
    value = getattr(delf_keras, name)
    if name == "__version__":
        assert isinstance(value, str)
    else:
        assert value.__name__ == name and value.__doc__


def test_sub_packages_are_attributes():
    """Of a fresh process, which has imported none of them."""
    names = [
        module.name
        for module in pkgutil.iter_modules(delf_keras.__path__)
        if module.ispkg
    ]
    program = "import delf_keras; " + "; ".join(
        f"assert {name!r} in dir(delf_keras); delf_keras.{name}"
        for name in names
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'Extract'"):
        _ = delf_keras.Extract


def test_keras_finds_every_class_in_a_fresh_process(make_model, tmp_path):
    """Keras is imported after the package, and no module of it by name."""
    from delf_keras.training.options import TrainingOptions
    from delf_keras.training.stages import compile_classifier, make_classifier

    paths = [str(tmp_path / "delf.keras")]
    make_model().save(paths[0])
    for stage in ("descriptor", "attention", "joint"):
        autoencoder = 6 if stage == "joint" else 0
        options = TrainingOptions(stage, autoencoder=autoencoder)
        classifier = make_classifier(make_model(), options, 3)
        compile_classifier(classifier, options, 10)
        paths.append(str(tmp_path / f"{stage}.keras"))
        classifier.save(paths[-1])
    registered, *loaded = subprocess.run(
        [sys.executable, "-c", LOAD, *paths],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    sources = Path(delf_keras.__file__).parent.rglob("*.py")
    names = [
        n for path in sources for n in REGISTERED.findall(path.read_text())
    ]
    assert {f"delf_keras>{name}" for name in names} == {*registered.split()}
    assert loaded == [f"{path} {path != paths[0]}" for path in paths]
