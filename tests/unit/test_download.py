"""Downloads against a server on this machine: whole, resumed, wrong, missing; and how gated sources are explained."""

import hashlib
import http.server
import re
import sys
import threading
import types
from dataclasses import replace

import pytest

from leukstudy.data import DataProblem, download
from leukstudy.data.download import file_name, get, instructions, resume
from leukstudy.data.sources import SOURCES, find_source

CONTENT = bytes(range(256)) * 2000


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT: /ranged answers ranges, /plain does not, /cut breaks off half-way, /none is missing."""

    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get("Range")))
        if self.path.startswith("/none"):
            self.send_error(404)
            return
        start = 0
        if self.path.startswith("/ranged") and "Range" in self.headers:
            start = int(re.fullmatch(r"bytes=(\d+)-", self.headers["Range"])[1])
            if start >= len(CONTENT):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        body = CONTENT[start:]
        self.wfile.write(body[: len(body) // 2] if self.path.startswith("/cut") else body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.seen = []
    served.url = f"http://127.0.0.1:{served.server_port}"
    thread = threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield served
    served.shutdown()
    served.server_close()
    thread.join()


def test_a_whole_download(server, tmp_path):
    resume(f"{server.url}/ranged/x.zip", tmp_path / "deep" / "x.part", progress=False)
    assert (tmp_path / "deep" / "x.part").read_bytes() == CONTENT
    assert server.seen == [("/ranged/x.zip", None)]


def test_it_goes_on_where_it_broke_off(server, tmp_path):
    part = tmp_path / "x.part"
    with pytest.raises(DataProblem, match=r"256,000 bytes are kept in .*x\.part, run the command again"):
        resume(f"{server.url}/cut/x.zip", part, progress=False)
    assert part.read_bytes() == CONTENT[:256000]
    resume(f"{server.url}/ranged/x.zip", part, progress=False)
    assert part.read_bytes() == CONTENT
    assert server.seen[-1] == ("/ranged/x.zip", "bytes=256000-")


def test_a_server_without_ranges_sends_all_again(server, tmp_path):
    part = tmp_path / "x.part"
    part.write_bytes(b"old bytes")
    resume(f"{server.url}/plain/x.zip", part, progress=False)
    assert part.read_bytes() == CONTENT


def test_a_part_that_is_whole_or_too_long(server, tmp_path):
    part = tmp_path / "x.part"
    part.write_bytes(CONTENT)
    resume(f"{server.url}/ranged/x.zip", part, progress=False)
    assert part.read_bytes() == CONTENT and len(server.seen) == 1
    part.write_bytes(CONTENT + b"more")
    resume(f"{server.url}/ranged/x.zip", part, progress=False)
    assert part.read_bytes() == CONTENT and len(server.seen) == 3


def test_missing_page_no_network_no_room(server, tmp_path, monkeypatch):
    with pytest.raises(DataProblem, match="the server says 404"):
        resume(f"{server.url}/none.zip", tmp_path / "x.part", progress=False)
    server.shutdown()
    server.server_close()
    with pytest.raises(DataProblem, match=r"cannot be reached.*Is there a network"):
        resume(f"{server.url}/ranged/x.zip", tmp_path / "x.part", progress=False)
    with pytest.raises(DataProblem, match="no address of the web"):
        resume("file:///etc/passwd", tmp_path / "x.part", progress=False)
    assert not list(tmp_path.iterdir())


def test_no_room_is_said_before_anything_is_written(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download.shutil, "disk_usage", lambda folder: types.SimpleNamespace(free=100))
    with pytest.raises(DataProblem, match="Give another --to"):
        resume(f"{server.url}/ranged/x.zip", tmp_path / "x.part", progress=False)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def source(server):
    digest = hashlib.md5(CONTENT).hexdigest()
    return replace(
        find_source("bloodmnist"), download=(f"{server.url}/ranged/a.npz", f"{server.url}/ranged/b_64.npz"),
        checksums={"a.npz": f"md5:{digest}", "b_64.npz": "md5:" + "0" * 32},
    )  # fmt: skip


def test_a_source_is_fetched_checked_and_kept(source, server, tmp_path):
    (tmp_path / "a.npz.part").write_bytes(CONTENT[:1000])
    assert get(source, tmp_path, progress=False) == [tmp_path / "a.npz"]
    assert (tmp_path / "a.npz").read_bytes() == CONTENT and server.seen == [("/ranged/a.npz", "bytes=1000-")]
    get(source, tmp_path, progress=False)
    assert len(server.seen) == 1  # it is there, and sound
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz"]


def test_a_finished_part_needs_no_network(source, server, tmp_path):
    (tmp_path / "a.npz.part").write_bytes(CONTENT)
    get(source, tmp_path, progress=False)
    assert (tmp_path / "a.npz").read_bytes() == CONTENT and not server.seen


def test_a_wrong_checksum_leaves_no_file(source, tmp_path):
    with pytest.raises(DataProblem, match="has not the published checksum md5:000"):
        get(source, tmp_path, only="_64", progress=False)
    assert not list(tmp_path.iterdir())
    with pytest.raises(
        DataProblem, match=r"no file with '_512' in its name; its files are a\.npz, b_64\.npz"
    ):
        get(source, tmp_path, only="_512", progress=False)


def test_a_failed_download_names_the_page(source, server, tmp_path):
    gone = replace(source, download=(f"{server.url}/none/a.npz",))
    with pytest.raises(DataProblem, match=r"404(.|\n)*By hand: https://zenodo"):
        get(gone, tmp_path, progress=False)


def test_names_of_files():
    assert [file_name(url) for url in find_source("bloodmnist").download][1] == "bloodmnist_64.npz"
    assert file_name(find_source("bccd").download[0]) == "BCCD_Dataset-master.zip"


@pytest.mark.parametrize("source", [s for s in SOURCES.values() if not s.download], ids=lambda s: s.name)
def test_what_cannot_be_fetched_is_explained(source, monkeypatch, tmp_path):
    monkeypatch.setattr(download, "_kaggle_is_set_up", lambda: False)
    with pytest.raises(DataProblem) as said:
        get(source, tmp_path)
    for needed in (
        source.home,
        source.access,
        source.layout,
        f"leukstudy data use {source.name}=PATH",
        source.kaggle,
    ):
        assert needed in str(said.value)
    assert ("tcia-utils cannot help" in str(said.value)) == ("Aspera" in source.access)


def kagglehub(monkeypatch, *, credentials, folder="", error=None):
    """Stand in for kagglehub, which is no dependency: only what is called of it."""

    def dataset_download(handle):
        if error:
            raise error
        return f"{folder}/{handle}"

    def get_kaggle_credentials():
        if isinstance(credentials, Exception):
            raise credentials
        return credentials

    hub = types.ModuleType("kagglehub")
    hub.dataset_download = dataset_download
    hub.__spec__ = types.SimpleNamespace(name="kagglehub")
    hub.config = types.ModuleType("kagglehub.config")
    hub.config.get_kaggle_credentials = get_kaggle_credentials
    monkeypatch.setitem(sys.modules, "kagglehub", hub)
    monkeypatch.setitem(sys.modules, "kagglehub.config", hub.config)


def test_kagglehub_is_used_where_it_is_set_up(monkeypatch, tmp_path):
    taleqani = find_source("taleqani")
    kagglehub(monkeypatch, credentials=object(), folder=str(tmp_path))
    assert get(taleqani) == [tmp_path / "mehradaria/leukemia"]
    for missing in (None, ValueError("broken kaggle.json")):
        kagglehub(monkeypatch, credentials=missing)
        with pytest.raises(DataProblem, match="pip install kagglehub"):
            get(taleqani)
    kagglehub(monkeypatch, credentials=object(), error=RuntimeError("403 Forbidden"))
    with pytest.raises(DataProblem, match=r"could not fetch mehradaria/leukemia \(403 Forbidden\)"):
        get(taleqani)


def test_the_words_for_a_gate_are_those_of_the_registry():
    assert "the publisher sends it to those who sign a form" in instructions(find_source("all_idb1"))
