"""Reading images: every sound kind gives its pixels, every unsound one a reason."""

import pickle
import tracemalloc

import numpy as np
import pytest
from fabricate import blob_cell, huge_png, odd_files
from PIL import Image

from leukstudy.imaging.io import MAX_PIXELS, BadImage, Header, image_header, is_image_file, read_image

SOUND = ("grey", "grey16", "rgb16", "palette", "rgba", "grey_alpha", "cmyk", "turned", "bilevel")
REASONS = {
    "truncated": "truncated or corrupt",
    "text": "This is no i",
    "empty": "empty file",
    "huge": "400,000,000 pixels",
    "frames": "2 frames",
    "float": "no fixed 8-bit scale",
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    return odd_files(tmp_path_factory.mktemp("odd"))


@pytest.fixture(scope="module")
def drawn():
    return blob_cell(np.random.default_rng(0), size=48)[0]


@pytest.mark.parametrize("kind", SOUND)
def test_sound_kinds_give_uint8_rgb(odd, kind):
    rgb = read_image(odd[kind])
    assert rgb.dtype == np.uint8 and rgb.ndim == 3 and rgb.shape[2] == 3
    assert rgb.flags["C_CONTIGUOUS"] and rgb.flags["WRITEABLE"]


@pytest.mark.parametrize("kind", REASONS)
def test_unsound_kinds_name_file_and_reason(odd, kind):
    with pytest.raises(BadImage) as caught:
        read_image(odd[kind])
    assert str(odd[kind]) in str(caught.value)
    assert REASONS[kind] in caught.value.reason
    assert str(odd[kind].parent) not in caught.value.reason


def test_sixteen_bits_keep_their_high_byte(odd, drawn):
    assert np.array_equal(read_image(odd["rgb16"]), drawn)
    assert np.array_equal(read_image(odd["grey16"]), read_image(odd["grey"]))


def test_transparency_is_laid_on_white(odd, drawn):
    for kind in ("rgba", "grey_alpha"):
        rgb = read_image(odd[kind])
        assert (rgb[:24] == 255).all()
    assert np.array_equal(read_image(odd["rgba"])[24:], drawn[24:])


def test_transparent_palette_colour_is_white(tmp_path):
    image = Image.fromarray(np.zeros((4, 4), np.uint8), mode="P")
    image.putpalette([200, 0, 0] + [0, 0, 0] * 255)
    image.save(tmp_path / "p.png", transparency=0)
    assert (read_image(tmp_path / "p.png") == 255).all()


def test_cmyk_keeps_its_colours(odd, drawn):
    assert np.abs(read_image(odd["cmyk"]).astype(int) - drawn).mean() < 6


def test_exif_turns_the_image_and_its_header(odd):
    assert read_image(odd["turned"]).shape == (48, 24, 3)
    assert image_header(odd["turned"]) == Header(width=24, height=48, mode="RGB", format="JPEG")


def test_turning_is_the_right_way(tmp_path):
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :8] = 255  # white on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned a quarter clockwise: white goes to the top
    Image.fromarray(pixels).save(tmp_path / "t.png", exif=exif)
    turned = read_image(tmp_path / "t.png")
    assert turned.shape == (16, 8, 3) and turned[:8].min() == 255 and turned[8:].max() == 0


# pytest turns warnings back on that the module has turned off
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(20_000, 20_000), (12_000, 9_000)])
def test_huge_images_are_refused_from_the_header(tmp_path, size):
    assert size[0] * size[1] > MAX_PIXELS
    path = tmp_path / "huge.png"
    path.write_bytes(huge_png(*size))
    tracemalloc.start()
    for read in (read_image, image_header):
        with pytest.raises(BadImage, match="more than the 100,000,000 allowed"):
            read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def test_every_truncation_is_noticed(tmp_path, drawn):
    for suffix in (".png", ".bmp", ".jpg", ".tif"):
        path = tmp_path / f"whole{suffix}"
        Image.fromarray(drawn).save(path)
        whole = path.read_bytes()
        for part in (0.02, 0.3, 0.9):
            path.write_bytes(whole[: int(len(whole) * part)])
            with pytest.raises(BadImage):
                read_image(path)


def test_a_flipped_byte_in_a_png_is_noticed(tmp_path, drawn):
    Image.fromarray(drawn).save(tmp_path / "x.png")
    whole = bytearray((tmp_path / "x.png").read_bytes())
    whole[len(whole) // 2] ^= 1
    (tmp_path / "x.png").write_bytes(whole)
    with pytest.raises(BadImage, match="corrupt"):
        read_image(tmp_path / "x.png")


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(BadImage, match="No such file"):
        read_image(tmp_path / "none.png")
    with pytest.raises(BadImage, match="cannot be opened"):
        read_image(tmp_path)


def test_content_decides_not_the_name(tmp_path, drawn):
    Image.fromarray(drawn).save(tmp_path / "x.bmp")
    (tmp_path / "x.bmp").rename(tmp_path / "x.jpg")
    assert np.array_equal(read_image(tmp_path / "x.jpg"), drawn)


def test_bad_image_survives_a_process_pool():
    error = pickle.loads(pickle.dumps(BadImage("a/b.png", "why")))
    assert (str(error), error.reason) == ("a/b.png: why", "why")


def test_names_of_image_files():
    assert is_image_file("a/B.TIFF") and is_image_file("x.jpeg")
    assert not any(map(is_image_file, ("Thumbs.db", "README.md", "png", "a.png.txt")))
