"""Facial-expression recognition, measured: the package behind the study's notebooks."""

import os

from fer_utils.files import hushing

__version__ = "0.1.0"

# ONNX Runtime 1.29 and later reports its sessions to its maker and writes an identifier into the user's home, unless
# this is set before it is first used. This package promises that nothing is sent anywhere.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# TensorFlow, where the study uses it, greets with lines about the machine that tell a reader nothing.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
hushing.hush("tensorflow")
