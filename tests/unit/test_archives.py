"""Archives: unpacked whole, safely, or not at all."""

import io
import shutil
import tarfile
import zipfile
from collections import namedtuple

import numpy as np
import pytest
from fabricate_sources import bloodmnist_npz

from leukstudy.data import DataProblem, archives
from leukstudy.data.archives import is_archive, name_of, unpack

FILES = {"set/ALL/a.png": b"a" * 100, "set/healthy/b.png": b"b", "set/README.txt": b"words"}


def zipped(path, files=FILES):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return path


def tarred(path, files=FILES, mode="w"):
    with tarfile.open(path, mode) as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return path


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("x.zip", ""),
        ("x.tar", "w"),
        ("x.tar.gz", "w:gz"),
        ("x.tgz", "w:gz"),
        ("x.tar.bz2", "w:bz2"),
        ("x.tar.xz", "w:xz"),
    ],
)
def test_every_kind_unpacks_to_the_same_files(name, mode, tmp_path):
    archive = tarred(tmp_path / name, mode=mode) if mode else zipped(tmp_path / name)
    assert is_archive(archive) and name_of(archive) == "x"
    folder = unpack(archive, tmp_path / "out" / "set")
    assert tree(folder) == FILES
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["set"]  # nothing is left aside
    assert folder.stat().st_mode & 0o777 == 0o755


def test_bloodmnist_becomes_class_folders(tmp_path):
    folder = unpack(bloodmnist_npz(tmp_path / "bloodmnist.npz"), tmp_path / "out")
    assert len(list(folder.glob("*/*.png"))) == 6 and (folder / "metadata.csv").is_file()


def test_a_zip_within_a_zip_is_unpacked_too(tmp_path):
    inner = zipped(tmp_path / "PBC.zip").read_bytes()
    folder = unpack(
        zipped(tmp_path / "outer.zip", {"v1/PBC.zip": inner, "v1/licence.txt": b"CC"}), tmp_path / "out"
    )
    assert {"v1/PBC/set/ALL/a.png", "v1/licence.txt"} <= set(tree(folder))
    assert not (folder / "v1" / "PBC.zip").exists()


@pytest.mark.parametrize(
    "name", ["../evil.png", "/etc/evil.png", "a/../../evil.png", "C:/evil.png", "..\\evil.png"]
)
def test_nothing_is_written_outside(name, tmp_path):
    archive = zipped(tmp_path / "x.zip", {"ok.png": b"1", name: b"2"})
    with pytest.raises(DataProblem, match="points outside"):
        unpack(archive, tmp_path / "out" / "set")
    if "\\" not in name:
        with pytest.raises(DataProblem, match="points outside"):
            unpack(tarred(tmp_path / "x.tar", {"ok.png": b"1", name: b"2"}), tmp_path / "out" / "set")
    assert not list((tmp_path / "out").iterdir()) and not (tmp_path / "evil.png").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(kind, tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as packed:
        member = tarfile.TarInfo("link.png")
        member.type, member.linkname = kind, "/etc/passwd"
        packed.addfile(member)
    with pytest.raises(DataProblem, match="a link or a device"):
        unpack(tmp_path / "x.tar", tmp_path / "out")


def test_links_in_a_zip_are_refused(tmp_path):
    member = zipfile.ZipInfo("link.png")
    member.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr(member, "/etc/passwd")
    with pytest.raises(DataProblem, match="a link or a device"):
        unpack(tmp_path / "x.zip", tmp_path / "out")


def test_more_than_the_disk_can_hold_is_refused(tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(archives._KEEP_FREE + 50))
    with pytest.raises(DataProblem, match="unpacks to more than"):
        unpack(zipped(tmp_path / "x.zip"), tmp_path / "out")  # by what the zip says of itself
    with pytest.raises(DataProblem, match="unpacks to more than"):
        unpack(tarred(tmp_path / "x.tar.gz", mode="w:gz"), tmp_path / "out")  # by what comes out
    assert not (tmp_path / "out").exists()


def test_a_damaged_archive_leaves_nothing(tmp_path):
    for archive in (zipped(tmp_path / "x.zip"), tarred(tmp_path / "x.tar.gz", mode="w:gz")):
        archive.write_bytes(archive.read_bytes()[:-60])
        with pytest.raises(DataProblem, match=r"damaged|incomplete"):
            unpack(archive, tmp_path / "out" / "set")
        assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("place", [40, 200, 3000])
@pytest.mark.parametrize("name", ["y.zip", "y.tar.gz", "y.tar.bz2", "y.tar.xz"])
def test_a_flipped_byte_leaves_nothing(name, place, tmp_path):
    noise = {"ALL/a.png": np.random.default_rng(0).bytes(2000) + bytes(range(256)) * 40}
    archive = tmp_path / name
    if name == "y.zip":
        zipped(archive, noise)
    else:
        tarred(archive, noise, mode="w:" + name.split(".")[-1])
    content = bytearray(archive.read_bytes())
    content[min(place, len(content) - 100)] ^= 0xFF
    archive.write_bytes(content)
    try:
        found = tree(unpack(archive, tmp_path / "out" / "set"))
    except DataProblem as error:
        assert "cannot be unpacked" in str(error) or "no archive" in str(error)
        assert not list((tmp_path / "out").iterdir())
    else:
        assert found == noise  # the byte was not part of what counts


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.7z", b"7z\xbc\xaf\x27\x1c...", "7z x .*x.7z -o"),
        ("x.rar", b"Rar!\x1a\x07\x00", "unrar x"),
        ("renamed.zip", b"Rar!\x1a\x07\x00", "unrar x"),
        ("x.zip", b"<html>log in</html>", "no archive that can be unpacked here"),
    ],
)
def test_what_cannot_be_unpacked_says_what_to_do(name, content, says, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataProblem, match=says):
        unpack(tmp_path / name, tmp_path / "out")
    with pytest.raises(DataProblem, match="no such file"):
        unpack(tmp_path / "none.zip", tmp_path / "out")


def test_what_is_there_already_is_not_overwritten(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.png").write_bytes(b"mine")
    with pytest.raises(DataProblem, match="there already and not empty"):
        unpack(zipped(tmp_path / "x.zip"), tmp_path / "out")
    assert tree(tmp_path / "out") == {"mine.png": b"mine"}


def test_a_member_that_stands_twice_is_refused(tmp_path):
    with (
        pytest.warns(UserWarning, match="Duplicate name"),
        zipfile.ZipFile(tmp_path / "x.zip", "w") as packed,
    ):
        packed.writestr("a.png", b"1")
        packed.writestr("a.png", b"2")
    with pytest.raises(DataProblem, match="stands in it twice"):
        unpack(tmp_path / "x.zip", tmp_path / "out")
