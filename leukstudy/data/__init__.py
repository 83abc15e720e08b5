"""The data of the study: sources, manifest, splits and the embedded phantom."""


class DataProblem(ValueError):
    """The data cannot be studied as they are; the message says what was found and what to do."""
