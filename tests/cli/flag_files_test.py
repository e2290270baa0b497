"""Files of flags, as editors write them."""

import pytest
from absl import flags as absl_flags

from delf_keras.cli.flag_files import with_flag_files


def test_what_is_no_flag_is_left_out(tmp_path):
    file = tmp_path / "a.flags"
    file.write_bytes(
        b"\xef\xbb\xbf--one=1\r\n\r\n   # a comment\r\n\t// another\r\n"
        b"  --two=a b\r\n"
    )
    expected = ["first", "--one=1", "--two=a b", "last"]
    assert with_flag_files(["first", f"--flagfile={file}", "last"]) == expected
    assert (
        with_flag_files(["first", "-flagfile", f"{file}", "last"]) == expected
    )


def test_files_in_files(tmp_path):
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    inner.write_text("--one=1\n")
    outer.write_text(f"--flagfile={inner}\n--two\n")
    assert with_flag_files([f"--flagfile={outer}"]) == ["--one=1", "--two"]
    inner.write_text(f"--flagfile={outer}\n")
    with pytest.raises(absl_flags.Error, match="names itself"):
        with_flag_files([f"--flagfile={outer}"])


def test_what_is_no_flag_file(tmp_path):
    with pytest.raises(absl_flags.Error, match="Received: .*absent"):
        with_flag_files([f"--flagfile={tmp_path / 'absent'}"])


def test_after_two_dashes_there_are_no_flags():
    arguments = ["--", "--flagfile=name.jpg"]
    assert with_flag_files(arguments) == arguments
