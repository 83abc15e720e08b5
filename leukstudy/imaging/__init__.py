"""From an image file to pixels, masks and measurements."""
