"""The verb `evaluate`, from files to printed lines."""

import json
import pickle

import numpy as np
import pytest
from absl import flags as absl_flags

from delf_keras.cli import evaluate


def _run(*arguments):
    flags = absl_flags.FlagValues()
    evaluate.define_flags(flags)
    rest = flags(["evaluate", *map(str, arguments)])[1:]
    return evaluate.run(flags, rest)


@pytest.fixture
def revisited(tmp_path):
    """Ground truth and ranks of one query without hard positives."""
    query = {"bbx": [0, 0, 9, 9], "easy": [0, 2], "hard": [], "junk": [1]}
    content = {"imlist": list("abcd"), "qimlist": ["q"], "gnd": [query]}
    gnd = tmp_path / "gnd_tiny4.pkl"
    gnd.write_bytes(pickle.dumps(content))
    ranks = tmp_path / "ranks.npy"
    # Without the junk: positive, negative, positive.
    np.save(ranks, np.array([[1], [0], [3], [2]]))
    return gnd, ranks


@pytest.fixture
def classic(tmp_path):
    """Ground truth folder of two queries."""
    folder = tmp_path / "tiny_gt"
    folder.mkdir()
    for query in ("keble_1", "keble_2"):
        (folder / f"{query}_query.txt").write_text("oxc1_a 0 0 9 9")
        (folder / f"{query}_good.txt").write_text("a\n")
        (folder / f"{query}_ok.txt").write_text("")
        (folder / f"{query}_junk.txt").write_text("")
    return folder


def test_revisited(revisited, capsys):
    gnd, ranks = revisited
    assert _run(f"--gnd={gnd}", f"--ranks={ranks}") == 0
    # (1 + (1/2 + 2/3) / 2) / 2, and 2 of 3 among the first 5 and 10.
    assert capsys.readouterr().out.splitlines() == [
        ">> tiny4: mAP E: 79.17, M: 79.17, H: nan",
        ">> tiny4: mP@k[1 5 10] E: [100.00 66.67 66.67], "
        "M: [100.00 66.67 66.67], H: [nan nan nan]",
    ]


def test_revisited_writes_json(revisited, tmp_path, capsys):
    gnd, ranks = revisited
    output = tmp_path / "new" / "figures.json"
    _run(
        f"--gnd={gnd}",
        f"--ranks={ranks}",
        "--name=other",
        f"--json={output}",
    )
    assert capsys.readouterr().out.startswith(">> other: mAP E: 79.17")
    figures = json.loads(output.read_text())
    assert list(figures) == ["E", "M", "H", "mP@k"]
    assert figures["E"] == pytest.approx(100 * 19 / 24)
    assert figures["H"] is None
    assert figures["mP@k"]["M"] == pytest.approx(
        {"1": 100, "5": 200 / 3, "10": 200 / 3}
    )


def test_classic_with_a_folder_of_rankings(classic, tmp_path, capsys):
    rankings = tmp_path / "rankings"
    rankings.mkdir()
    (rankings / "keble_1.txt").write_text("a\nb\n")
    (rankings / "keble_2.txt").write_text("b\na\n")
    output = tmp_path / "figures.json"
    assert (
        _run(f"--gnd={classic}", f"--ranks={rankings}", f"--json={output}") == 0
    )
    assert capsys.readouterr().out == ">> tiny_gt: mAP 62.50\n"
    assert json.loads(output.read_text()) == {
        "mAP": 62.5,
        "AP": {"keble_1": 100.0, "keble_2": 25.0},
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_classic_with_json_rankings(classic, tmp_path, capsys, encoding):
    rankings = tmp_path / "rankings.json"
    rankings.write_text('{"keble_1": ["a"], "keble_2": ["b", "a"]}', encoding)
    _run(f"--gnd={classic}", f"--ranks={rankings}", "--name=tiny")
    assert capsys.readouterr().out == ">> tiny: mAP 62.50\n"


def test_names_with_spaces(classic, tmp_path, capsys):
    """As text and as JSON they are the same rankings."""
    names = ["old town", "new\x85town", "the place"]
    for query in ("keble_1", "keble_2"):
        (classic / f"{query}_good.txt").write_text("the place\n")
        (classic / f"{query}_query.txt").write_text("oxc1_the place 0 0 9 9")
    rankings, file = tmp_path / "rankings", tmp_path / "rankings.json"
    rankings.mkdir()
    for query in ("keble_1", "keble_2"):
        text = "\n".join(names) + "\r\n\n"
        (rankings / f"{query}.txt").write_text(text, "utf-8")
    file.write_text(json.dumps(dict.fromkeys(("keble_1", "keble_2"), names)))
    _run(f"--gnd={classic}", f"--ranks={rankings}")
    _run(f"--gnd={classic}", f"--ranks={file}")
    # At the third place: the mean of 0 and 1/3.
    assert capsys.readouterr().out == ">> tiny_gt: mAP 16.67\n" * 2


def test_missing_flags_are_named(revisited):
    gnd, ranks = revisited
    with pytest.raises(absl_flags.Error, match="--gnd"):
        _run(f"--ranks={ranks}")
    with pytest.raises(absl_flags.Error, match="--ranks"):
        _run(f"--gnd={gnd}")
    with pytest.raises(ValueError, match="only flags. Received: extra"):
        _run(f"--gnd={gnd}", f"--ranks={ranks}", "extra")


def test_missing_files_are_named(revisited, classic, tmp_path):
    gnd, ranks = revisited
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError, match="missing"):
        _run(f"--gnd={missing}", f"--ranks={ranks}")
    with pytest.raises(FileNotFoundError, match="missing"):
        _run(f"--gnd={gnd}", f"--ranks={missing}")
    with pytest.raises(FileNotFoundError, match="missing"):
        _run(f"--gnd={classic}", f"--ranks={missing}")


def test_ranks_must_be_a_plain_array(revisited, tmp_path):
    gnd, ranks = revisited
    np.save(ranks, np.array([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match="Expected a .npy file"):
        _run(f"--gnd={gnd}", f"--ranks={ranks}")
    ranks.write_bytes(b"")
    with pytest.raises(ValueError, match="Expected a .npy file"):
        _run(f"--gnd={gnd}", f"--ranks={ranks}")
    np.save(ranks, np.zeros((4, 1), int))
    whole = ranks.read_bytes()
    # A header, which numpy reads as Python, that does not end, or lies.
    for damage in (
        whole.replace(b"}", b" "),
        whole.replace(b"(4, 1), }" + 12 * b" ", b"(4000000000000, 1), }"),
    ):
        assert len(damage) == len(whole) and damage != whole
        ranks.write_bytes(damage)
        with pytest.raises(ValueError, match="Expected a .npy file"):
            _run(f"--gnd={gnd}", f"--ranks={ranks}")
    archive = tmp_path / "ranks.npz"
    np.savez(archive, ranks=np.zeros((4, 1), int))
    for path in (archive, tmp_path):
        with pytest.raises(ValueError, match="Expected a .npy file"):
            _run(f"--gnd={gnd}", f"--ranks={path}")


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"keble_1": "a"}', '{"keble_1": [1]}']
)
def test_rankings_must_be_lists_of_names(classic, tmp_path, text):
    rankings = tmp_path / "rankings.json"
    rankings.write_text(text)
    with pytest.raises(ValueError, match="Expected a .*JSON.*rankings.json"):
        _run(f"--gnd={classic}", f"--ranks={rankings}")


def test_nothing_is_written_when_rankings_are_refused(revisited, tmp_path):
    gnd, ranks = revisited
    np.save(ranks, np.zeros((4, 1), int))
    output = tmp_path / "figures.json"
    with pytest.raises(ValueError, match="query q"):
        _run(f"--gnd={gnd}", f"--ranks={ranks}", f"--json={output}")
    assert not output.exists()
