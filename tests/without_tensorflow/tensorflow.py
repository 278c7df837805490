"""Stands before the real package on PYTHONPATH to show that nothing needs TensorFlow."""

raise ImportError("TensorFlow is out of reach here on purpose")
