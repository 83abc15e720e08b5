"""Reading and writing notebooks: `nbformat`, without a second that it spends on nothing.

nbformat imports jsonschema, which builds a grammar of URIs as it is imported (1 to 2 s of every stage), for a check that
no notebook needs and that jsonschema leaves out where the package with the grammar is missing: here it is hidden.
"""

from leukstudy.run.imports import without

with without("rfc3987_syntax"):
    import nbformat

__all__ = ["nbformat"]
