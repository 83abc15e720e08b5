"""leukstudy: a reproducible study of leukaemia detection in blood-smear microscope images."""

__version__ = "0.1.0"
