"""leukstudy: a reproducible study of leukaemia detection in blood-smear microscope images."""

from leukstudy.run import numerics

__version__ = "0.1.0"
numerics.pin()  # before NumPy, OpenCV or TensorFlow is loaded
