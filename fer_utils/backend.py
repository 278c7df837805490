"""Settings that differ between Keras's backends; the only module that imports TensorFlow for training."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import keras

from fer_utils.paths import project_root

_PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "opencv-python", "scikit-learn")


def make_deterministic(seed: int) -> None:
    """Seed every global generator and ask the backend for reproducible kernels."""
    keras.utils.set_random_seed(seed % 2**32)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")  # every run traces its own step; that is no reason for a warning
        tf.config.experimental.enable_op_determinism()


def jit_compile() -> bool | str:
    """Keras's `compile(jit_compile=...)`: XLA everywhere but in TensorFlow on a CPU, where it is 2-7 times slower."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return "auto" if tf.config.list_physical_devices("GPU") else False
    return "auto"


@cache
def device() -> str:
    """The training device in words, e.g. `"NVIDIA H200"` or `"AMD EPYC, 2 cores"`."""
    name = keras.backend.backend()
    if name == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        if gpus:
            return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    elif name == "jax":
        import jax

        if jax.devices()[0].platform != "cpu":
            return jax.devices()[0].device_kind
    elif name == "torch":
        import torch

        if torch.cuda.is_available():
            return torch.cuda.get_device_name(0)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{_processor()}, {cores} core{'s' if cores != 1 else ''}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide numbers, those that are installed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def provenance() -> dict[str, Any]:
    """What a record says of where it was made: backend, device, versions, commit."""
    return {
        "backend": keras.backend.backend(),
        "device": device(),
        "versions": versions(),
        "commit": commit(project_root()),
    }


def commit(root: Path) -> str | None:
    """The commit of the working tree at `root`, with `+` when it has changes; None outside a checkout."""
    try:
        def git(*words: str) -> str:
            call = ["git", "-C", str(root), *words]
            return subprocess.run(call, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "--", "fer_utils") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def peak_memory_mib() -> float:
    """Largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
