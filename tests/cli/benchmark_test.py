"""`delf-keras benchmark`, the whole chain on rendered sets."""

import contextlib
import csv
import json
import shutil

import pytest

from delf_keras.cli.main import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("benchmark")


@pytest.fixture(scope="module")
def arguments(revisited_set, tiny_preset, folder):
    return [
        "benchmark",
        f"--dataset={revisited_set}",
        f"--preset={tiny_preset}",
        "--max_image_size=208",
        "--scales=1",
        "--pca_dimension=16",
        f"--work_dir={folder / 'work'}",
        f"--results={folder / 'results'}",
    ]


def figures_of(path):
    return json.loads(path.read_text())


def test_figures_rankings_pages_and_curve(
    finish, arguments, folder, revisited_set
):
    outcome = finish(
        *arguments,
        f"--json={folder / 'a.json'}",
        f"--ranks={folder / 'ranks.npy'}",
        f"--pages={folder / 'pages'}",
        f"--curves={folder / 'curve.png'}",
    )
    assert outcome.code == 0, outcome.err
    first, second, *rest = outcome.out.splitlines()
    assert first.startswith(f">> {revisited_set.name}: mAP E:")
    assert "mP@k[1 5 10]" in second
    assert [line.split()[0] for line in rest] == [
        "learn",
        "extract",
        "index",
        "queries",
        "search",
        "verify",
        "evaluate",
    ]
    figures = figures_of(folder / "a.json")
    assert figures["seconds"].keys() == {line.split()[0] for line in rest}
    rows = (folder / "results/benchmark.csv").read_text().splitlines()
    (row,) = csv.DictReader(rows)
    assert float(row["M"]) == pytest.approx(figures["M"], rel=1e-3)
    assert row["dataset"] == revisited_set.name and row["processor"]
    assert (folder / "pages/index.html").is_file()
    assert (folder / "curve.png").stat().st_size > 1000
    evaluated = finish(
        "evaluate",
        f"--gnd={next(revisited_set.glob('gnd_*.pkl'))}",
        f"--ranks={folder / 'ranks.npy'}",
        f"--json={folder / 'evaluated.json'}",
    )
    assert evaluated.code == 0
    for name, value in figures_of(folder / "evaluated.json").items():
        assert figures[name] == value


def test_kept_stages_are_said_to_be(files_first, arguments, folder):
    path = folder / "b.json"
    with contextlib.redirect_stdout(files_first(path)) as listing:
        assert main([*arguments, f"--json={path}"]) == 0

    assert listing.getvalue().count("(kept from an earlier run)") == 6
    before, after = (figures_of(folder / f"{n}.json") for n in "ab")
    assert {name: after[name] for name in "EMH"} == {
        name: before[name] for name in "EMH"
    }
    assert "extract" in after["seconds_kept"]


def test_every_method(finish, arguments, folder):
    """Each by its flag, on the features that were kept."""
    for flags in (
        ["--first_score=votes", "--vote_weighting=count", "--nobackground"],
        ["--first_score=asmk", "--binary", "--words=32"],
        ["--model=homography", "--putatives=neighbors"],
        ["--ranking=inliers", "--expansion=0", "--factory=IVF4,PQ8x4"],
        ["--global_power=3", "--global_weight=2", "--augmentation=2"],
        ["--global_power=3", "--first_score=global", "--candidates=0"],
    ):
        path = folder / "method.json"
        outcome = finish(*arguments, *flags, f"--json={path}")
        assert outcome.code == 0, outcome.err
        assert 0 < figures_of(path)["M"] <= 100


def test_classic_set(finish, arguments, oxford_set, folder):
    path = folder / "classic.json"
    outcome = finish(*arguments, f"--dataset={oxford_set}", f"--json={path}")

    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith(f">> {oxford_set.name}: mAP ")
    assert 0 < figures_of(path)["mAP"] <= 100


def test_missing_set_says_what_to_put_where(finish, arguments, tmp_path):
    outcome = finish(
        *arguments, "--dataset=roxford5k", f"--data_dir={tmp_path}"
    )

    assert outcome.code == 1
    assert "oxbuild_images-v1.tgz" in outcome.err
    assert "--download" in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1


def test_pages_are_refused_at_once(finish, arguments, tmp_path):
    outcome = finish(*arguments, f"--pages={tmp_path}")
    assert outcome.code == 1
    assert f"Received: {tmp_path}" in outcome.err


def test_rankings_are_an_array_file(finish, arguments):
    outcome = finish(*arguments, "--ranks=ranks.txt")
    assert outcome.code == 1
    assert "Received: ranks.txt" in outcome.err


def test_format_of_a_curve_is_refused_at_once(finish, arguments):
    outcome = finish(*arguments, "--curves=curve.gif")
    assert outcome.code == 1
    assert "curve.gif" in outcome.err


def test_skipped_photographs_and_where_rows_go_by_default(
    finish, arguments, revisited_set, tmp_path, monkeypatch
):
    """To the work folder, and to benchmarks/results where that is."""
    broken = shutil.copytree(revisited_set, tmp_path / "set")
    (broken / "jpg/distractor_00.jpg").write_bytes(b"no photograph")
    work = tmp_path / "work"
    command = [each for each in arguments if "--results" not in each]
    command += [f"--dataset={broken}", f"--work_dir={work}"]
    monkeypatch.chdir(tmp_path)
    outcome = finish(*command)

    assert outcome.code == 0, outcome.err
    *_, skipped, count = outcome.out.splitlines()
    assert skipped.startswith("Skipped: ") and "distractor_00" in skipped
    assert count == "1 photographs skipped."
    assert (work / "benchmark.csv").is_file()

    (tmp_path / "benchmarks/results").mkdir(parents=True)
    assert finish(*command).code == 0
    assert (tmp_path / "benchmarks/results/benchmark.csv").is_file()
