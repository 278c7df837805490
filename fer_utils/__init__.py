"""Facial-expression recognition, measured: the package behind the study's notebooks."""

__version__ = "0.1.0"
