"""Tiny fabricated data sets for the tests: blob cells in class folders, and the odd files of real life."""

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image


def blob_cell(rng: np.random.Generator, *, size: int = 48, kind: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """One drawn white cell among red ones: (size, size, 3) uint8 RGB, and its truth (0, 128, 255).

    `kind` moves the nucleus' size and shade, so that classes can be told apart: 0 is small and dark.
    """
    rgb = np.empty((size, size, 3), np.float32)
    rgb[:] = (236, 226, 222)
    grid_y, grid_x = np.mgrid[:size, :size].astype(np.float32)

    def ellipse(y: float, x: float, a: float, b: float) -> np.ndarray:
        return ((grid_y - y) / a) ** 2 + ((grid_x - x) / b) ** 2 <= 1

    for _ in range(4):
        y, x = rng.uniform(0, size, 2)
        red = ellipse(y, x, size * 0.13, size * 0.13)
        rgb[red] = (222, 168, 160)
    centre = size / 2 + rng.uniform(-0.06, 0.06, 2) * size
    nuclear = size * (0.15 + 0.03 * kind + rng.uniform(-0.01, 0.01))
    squash = rng.uniform(0.9, 1.1)
    cell = ellipse(*centre, nuclear * 1.4, nuclear * 1.4 * squash)
    nucleus = ellipse(*centre, nuclear, nuclear * squash)
    rgb[cell] = (196, 190, 222)
    rgb[nucleus] = np.array((92, 44, 128)) + 12 * kind
    rgb = cv2.GaussianBlur(rgb, (0, 0), 0.7) + rng.normal(0, 3, rgb.shape)
    truth = np.where(nucleus, 255, np.where(cell, 128, 0)).astype(np.uint8)
    return np.clip(rgb, 0, 255).astype(np.uint8), truth


def class_folders(
    root: Path,
    classes: Sequence[str] = ("healthy", "ALL"),
    *,
    groups_per_class: int = 4,
    images_per_group: int = 3,
    size: int = 48,
    seed: int = 0,
    metadata: bool = True,
) -> pd.DataFrame:
    """Write `root/<class>/P<nn>_<n>.png`, one patient a group, and metadata.csv where asked.

    Gives the written rows: path, label, patient_id, slide_id. The same arguments give the same bytes.
    """
    rows = []
    patient = 0
    for kind, label in enumerate(classes):
        folder = Path(root) / label
        folder.mkdir(parents=True, exist_ok=True)
        number = 0
        for _ in range(groups_per_class):
            patient += 1
            for _ in range(images_per_group):
                number += 1
                rng = np.random.default_rng([seed, patient, number])
                name = f"P{patient:02d}_{number:03d}.png"
                Image.fromarray(blob_cell(rng, size=size, kind=kind)[0]).save(folder / name)
                rows.append((f"{label}/{name}", label, f"P{patient:02d}", f"S{patient:02d}"))
    table = pd.DataFrame(rows, columns=["path", "label", "patient_id", "slide_id"], dtype="str")
    if metadata:
        table.drop(columns="label").to_csv(Path(root) / "metadata.csv", index=False)
    return table


def odd_files(folder: Path, *, size: int = 48, seed: int = 0) -> dict[str, Path]:
    """Write one file of every odd kind into `folder`; gives kind -> path.

    Sound, and to be read: grey, grey16, rgb16, palette, rgba, grey_alpha, cmyk, turned, bilevel.
    Unsound, and to be refused: truncated, text, empty, huge, frames, float.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rgb, _ = blob_cell(np.random.default_rng(seed), size=size)
    image = Image.fromarray(rgb)
    grey = np.asarray(image.convert("L"))
    files = {
        kind: folder / f"{kind}{suffix}"
        for kind, suffix in (
            ("grey", ".png"),
            ("grey16", ".png"),
            ("rgb16", ".tif"),
            ("palette", ".png"),
            ("rgba", ".png"),
            ("grey_alpha", ".png"),
            ("cmyk", ".jpg"),
            ("turned", ".jpg"),
            ("bilevel", ".bmp"),
            ("truncated", ".png"),
            ("text", ".png"),
            ("empty", ".jpg"),
            ("huge", ".png"),
            ("frames", ".gif"),
            ("float", ".tif"),
        )
    }
    image.convert("L").save(files["grey"])
    Image.fromarray(grey.astype(np.uint16) * 257).save(files["grey16"])
    cv2.imwrite(str(files["rgb16"]), (rgb[:, :, ::-1].astype(np.uint16) * 257))
    image.convert("P").save(files["palette"])
    half = np.full((size, size), 255, np.uint8)
    half[: size // 2] = 0
    Image.fromarray(np.dstack([rgb, half])).save(files["rgba"])
    Image.fromarray(np.dstack([grey, half])).save(files["grey_alpha"])
    image.convert("CMYK").save(files["cmyk"], quality=95)
    turned = image.getexif()
    turned[0x0112] = 6  # displayed a quarter turn clockwise
    image.resize((size, size // 2)).save(files["turned"], exif=turned, quality=95)
    image.convert("1").save(files["bilevel"])
    whole = files["grey"].read_bytes()
    files["truncated"].write_bytes(whole[: len(whole) // 2])
    files["text"].write_text("This is no image.\n")
    files["empty"].write_bytes(b"")
    files["huge"].write_bytes(huge_png(20_000, 20_000))
    image.save(files["frames"], save_all=True, append_images=[image.rotate(90)])
    Image.fromarray(grey.astype(np.float32) / 255).save(files["float"])
    return files


def huge_png(width: int, height: int) -> bytes:
    """A sound black RGB PNG of any size in few bytes: what fits a disk need not fit the memory."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    packer = zlib.compressobj(9)
    row = bytes(1 + 3 * width)
    pixels = b"".join(packer.compress(row) for _ in range(min(height, 64))) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
