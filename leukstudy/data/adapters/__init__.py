"""One module a form of data: each gives `rows(root)`, one row an image file (see `folder`)."""
