"""Imports that leave out what nobody here needs: each stage is two fresh processes, which pay for all that they import."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*packages: str) -> Iterator[None]:
    """Let imports within find none of `packages`, which who imports them can do without; those already there stay.

    >>> with without("pyarrow"):
    ...     import papermill
    """
    hidden = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
