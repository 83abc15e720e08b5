"""Reading and writing notebooks: `nbformat`, without the second that its import spends on nothing.

nbformat imports jsonschema, which builds a grammar of URIs for a check that no notebook needs. jsonschema leaves the check
out where the package with the grammar is missing, so it is hidden here: `python -c "import nbformat"` takes 1.3 s, this 0.2 s.
"""

import sys

_GRAMMAR = "rfc3987_syntax"
_hidden = _GRAMMAR not in sys.modules
if _hidden:
    sys.modules[_GRAMMAR] = None
try:
    import nbformat
finally:
    if _hidden:
        del sys.modules[_GRAMMAR]

__all__ = ["nbformat"]
