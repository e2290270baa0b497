"""The verb `demo`, with few photographs."""

import functools

import pytest
from PIL import Image

from delf_keras.cli import demo
from delf_keras.datasets import synthetic


@pytest.fixture
def few(monkeypatch):
    """Makes the demonstration small."""
    write_photographs = synthetic.write_photographs

    def write_few(folder, *, num_landmarks, views_per_landmark):
        return write_photographs(
            folder,
            num_landmarks=1,
            views_per_landmark=views_per_landmark,
            num_distractors=0,
            size=(96, 128),
        )

    monkeypatch.setattr(synthetic, "write_photographs", write_few)


def _is_picture(path):
    with Image.open(path) as image:
        return image.format == "PNG"


def test_from_nothing_and_again(command, few, tmp_path):
    output = tmp_path / "demo"
    run = functools.partial(command, "demo", f"--output={output}")
    first = run()
    assert first.code == 0
    assert "The small network delf_tiny is used" in first.err
    assert "4 photographs, and a query: " in first.out
    assert f"$ delf-keras index --photos={output / 'photographs'}" in first.out
    assert f"$ delf-keras search --index={output / 'index'} " in first.out
    assert first.out.endswith(
        f"The picture of the result: {output / 'result.png'}\n"
    )
    assert _is_picture(output / "result.png")
    query = "landmark_00_view_4.jpg"
    assert (output / "query" / query).is_file()
    assert not (output / "photographs" / query).exists()

    second = run()
    assert second.code == 0
    assert f"search --index={output / 'index_2'} " in second.out


@pytest.fixture
def steps(monkeypatch):
    """The verbs that the demonstration would run, with their flags."""
    steps = []

    def record(arguments):
        steps.append(arguments)
        return 0

    monkeypatch.setattr(demo, "_run_step", record)
    return steps


def test_photographs_of_one_s_own(command, steps, tmp_path):
    output = tmp_path / "demo"
    finished = command(
        "demo", "--photos=photos", "--query=q.jpg", f"--output={output}"
    )
    assert finished.code == 0
    index, search = steps
    assert index[0] == "index" and search[0] == "search"
    assert {
        "--photos=photos",
        f"--output={output / 'index'}",
        "--preset=delf_tiny",
    } <= set(index)
    assert {
        "--query=q.jpg",
        f"--index={output / 'index'}",
        f"--picture={output / 'result.png'}",
    } <= set(search)
    assert list(output.iterdir()) == []


def test_weights_are_imagenet_s(command, steps, tmp_path):
    output = tmp_path / "demo"
    finished = command(
        "demo",
        "--photos=photos",
        "--query=q.jpg",
        "--weights=resnet.h5",
        f"--output={output}",
    )
    assert finished.code == 0
    flags = {"--preset=delf_resnet50_imagenet", "--weights=resnet.h5"}
    assert flags <= set(steps[0])
    assert list(output.iterdir()) == []


@pytest.mark.parametrize("flag", ["photos", "query"])
def test_photographs_and_query_go_together(refused, flag, tmp_path):
    output = tmp_path / "demo"
    message = refused("demo", f"--{flag}=somewhere", f"--output={output}")
    assert f"{flag}=somewhere" in message
    assert not output.exists()


def test_failure_of_a_step_is_the_demonstration_s(command, view, tmp_path):
    missing = tmp_path / "missing"
    finished = command(
        "demo",
        f"--photos={missing}",
        f"--query={view}",
        f"--output={tmp_path / 'demo'}",
    )
    assert finished.code == 1
    last = finished.err.splitlines()[-1]
    assert last.startswith("delf-keras index: ") and str(missing) in last
    assert "The picture of the result" not in finished.out
