"""A file is there whole or not at all."""

import os
import stat

import pytest

from leukstudy.study.files import write_atomically


def test_a_file_appears_whole_readable_by_all_in_a_folder_made_for_it(tmp_path):
    path = tmp_path / "deep" / "down" / "m.csv"
    seen = []

    def write(temporary):
        seen.append((temporary.parent, temporary.suffix, path.exists()))
        temporary.write_bytes(b"one\n")

    write_atomically(path, write)
    assert seen == [(path.parent, ".csv", False)]
    assert path.read_bytes() == b"one\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert os.listdir(path.parent) == ["m.csv"]


@pytest.mark.parametrize("error", [OSError("no space left on device"), KeyboardInterrupt()])
def test_what_was_there_stays_when_writing_fails(tmp_path, error):
    path = tmp_path / "m.csv"

    def half(temporary):
        temporary.write_text("ha")
        raise error

    for before in (None, "old"):
        with pytest.raises(type(error)):
            write_atomically(path, half)
        assert os.listdir(tmp_path) == ([] if before is None else ["m.csv"])
        path.write_text("old")
    assert path.read_text() == "old"


def test_the_longest_name_a_folder_takes_is_written(tmp_path):
    path = tmp_path / ("a" * 251 + ".csv")
    write_atomically(path, lambda temporary: temporary.write_text("x"))
    assert path.read_text() == "x"


def test_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    done = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (done.append("sync"), sync(handle)))
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("move"), replace(*names)))
    write_atomically(tmp_path / "m.csv", lambda temporary: temporary.write_text("x"))
    assert done == ["sync", "move"]
