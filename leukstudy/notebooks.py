"""Reading and writing notebooks: `nbformat`, and papermill, without seconds that they spend on nothing."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*packages: str) -> Iterator[None]:
    """Let imports within find none of `packages`, which whoever imports them can do without, unless they are there already."""
    hidden = [name for name in packages if name not in sys.modules]
    sys.modules |= dict.fromkeys(hidden)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


# nbformat imports jsonschema, which builds a grammar of URIs as it is imported (1 to 2 s of every stage), for a check that
# no notebook needs and that jsonschema leaves out where the package with the grammar is missing.
with without("rfc3987_syntax"):
    import nbformat

__all__ = ["nbformat", "without"]
