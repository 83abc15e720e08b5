"""One module a form of data. Each gives `rows(root)`: one row an image file, with the columns of `layout.COLUMNS`.

Where a source has more than labels, its module also gives one of

- `boxes(root)`: path, cell, x0, y0, x1, y1 (pixels, as in the file);
- `centres(root)`: path, x, y (pixels);
- `masks(root)`: path, mask_path (both relative to root);
- `annotations(root)`: path, label, and what a second look said;
- `unpack(archive, into)`: class folders from an archive that holds arrays.

What an adapter passed over, and what a reader must know of what it found, is in `table.attrs`: `left_out`
(reason -> number of files) and `notes` (sentences).
"""
