"""Settings that differ between Keras's backends; the only module that imports TensorFlow for training."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fer_utils.files.paths import project_root

_PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "opencv-python", "scikit-learn")


def make_deterministic(seed: int) -> None:
    """Seed every global generator and ask the backend for reproducible kernels."""
    keras.utils.set_random_seed(seed % 2**32)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")  # every run traces its own step; that is no reason for a warning
        tf.config.experimental.enable_op_determinism()


@contextmanager
def precision(policy: str) -> Iterator[None]:
    """Networks built inside follow a dtype policy, `"float32"` or `"mixed_bfloat16"`; afterwards the old one holds.

    A layer takes the policy that holds when it is made and keeps it. Keras's `clear_session` silently puts the policy
    back to float32, so it must be set where a network is built and not once for a whole process.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def jit_compile() -> bool | str:
    """Keras's `compile(jit_compile=...)`: XLA everywhere but in TensorFlow on a CPU, where it is 2-7 times slower."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return "auto" if tf.config.list_physical_devices("GPU") else False
    return "auto"


def normalize(images: Any, scale: Any, shift: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """Batch normalisation over channels in one operation of TensorFlow, with the gradient it has for it.

    Args:
        images: float32 or bfloat16 (n, h, w, c).
        scale, shift: float32 (c,).
        epsilon: added to the variance.

    Returns:
        The normalised images, and mean and variance of each channel, float32 (c,); the variance is that of the batch,
        divided by n h w.
    """
    import tensorflow as tf

    none = tf.zeros([0])
    outputs, mean, unbiased, *_ = tf.raw_ops.FusedBatchNormV3(
        x=images, scale=scale, offset=shift, mean=none, variance=none, epsilon=epsilon
    )
    n = tf.cast(tf.size(images) // images.shape[-1], tf.float32)
    return outputs, mean, unbiased * (n - 1) / n


def convolve(images: Any, kernel: Any, strides: tuple[int, int], padding: str) -> Any:
    """A convolution by TensorFlow, the gradient of whose kernel is a product of matrices for each place in the kernel.

    Args:
        images: (n, h, w, c), float32 or bfloat16, of known height and width.
        kernel: (a, b, c, k), of the same type.
        strides: over rows and over columns.
        padding: `"same"` or `"valid"`.

    Returns:
        (n, rows, columns, k).
    """
    import tensorflow as tf

    settings = {"strides": [1, *strides, 1], "padding": padding.upper()}

    @tf.custom_gradient
    def compute(images: Any, kernel: Any) -> tuple[Any, Callable[[Any], tuple[Any, Any]]]:
        def backwards(upstream: Any) -> tuple[Any, Any]:
            of_images = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(images), filter=kernel, out_backprop=upstream, **settings
            )
            flat = tf.reshape(upstream, (-1, kernel.shape[3]))
            seen = _seen(images, upstream.shape[1:3], kernel.shape[:2], strides, padding)
            products = [tf.matmul(tf.reshape(part, (-1, kernel.shape[2])), flat, transpose_a=True) for part in seen]
            return of_images, tf.reshape(tf.stack(products), kernel.shape)

        return tf.nn.conv2d(images, kernel, **settings), backwards

    return compute(images, tf.convert_to_tensor(kernel))  # of a variable's gradient, TensorFlow asks for more


def _seen(
    images: Any, size: Sequence[int], kernel: Sequence[int], strides: Sequence[int], padding: str
) -> Iterator[Any]:
    """What each place of a kernel sees of images (n, h, w, c), row by row of the kernel: (n, *size, c) each."""
    import tensorflow as tf

    spans = [(n - 1) * step + length for n, length, step in zip(size, kernel, strides, strict=True)]
    wholes = [-(-span // step) * step for span, step in zip(spans, strides, strict=True)]  # multiples of the stride
    frame = []
    for given, span, whole in zip(images.shape[1:3], spans, wholes, strict=True):
        before = max(span - given, 0) // 2 if padding == "same" else 0
        frame.append([before, max(whole - given - before, 0)])
    framed = tf.pad(images, [[0, 0], *frame, [0, 0]])[:, : wholes[0], : wholes[1]]
    (rows, columns), (down, right) = size, strides
    # pixels that lie a stride apart are put side by side, since slices with steps are slow
    apart = tf.reshape(framed, (-1, wholes[0] // down, down, wholes[1] // right, right, images.shape[3]))
    apart = tf.transpose(apart, (2, 4, 0, 1, 3, 5))
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            yield apart[i % down, j % right, :, i // down : i // down + rows, j // right : j // right + columns]


def gradient(function: Callable[[Any], Any], at: np.ndarray) -> np.ndarray:
    """Gradient of the sum of all values of `function`, by the backend's automatic differentiation.

    Args:
        function: from a float32 tensor of the shape of `at` to a tensor of any shape, in Keras's operations.
        at: where, float of any shape.

    Returns:
        float32, of the shape of `at`; 0 where the values do not depend on it.
    """
    point = keras.ops.convert_to_tensor(np.asarray(at, np.float32))
    name = keras.backend.backend()
    if name == "jax":
        import jax

        return np.array(jax.grad(lambda x: keras.ops.sum(function(x)))(point))
    if name == "torch":
        import torch

        with torch.enable_grad():
            point = point.detach().requires_grad_()
            found = torch.autograd.grad(keras.ops.sum(function(point)), point, allow_unused=True)[0]
        return np.zeros(np.shape(at), np.float32) if found is None else keras.ops.convert_to_numpy(found)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(point)
        total = keras.ops.sum(function(point))
    return tape.gradient(total, point, unconnected_gradients="zero").numpy()


def loss_and_gradients(
    loss: Callable[[], Any], variables: Sequence[keras.Variable]
) -> tuple[float, list[np.ndarray]]:
    """A loss, and its gradient for each of the variables that it is computed from: what one training step needs.

    Args:
        loss: computes the loss, a scalar, from the variables' current values, in Keras's operations. It is called
            once; what it changes of a network's state (moving averages, seeds) may be lost, by the backend.
        variables: such as `model.trainable_variables`.

    Returns:
        The loss, and one float32 array per variable, of its shape; 0 where the loss does not depend on it.
    """
    name = keras.backend.backend()
    if name == "jax":
        return _by_jax(loss, variables)
    if name == "torch":
        import torch

        with torch.enable_grad():
            value = loss()
            found = torch.autograd.grad(value, [v.value for v in variables], allow_unused=True)
    else:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = loss()
        found = tape.gradient(value, [v.value for v in variables])
    arrays = [np.zeros(v.shape, np.float32) if g is None else _dense(g) for v, g in zip(variables, found, strict=True)]
    return float(value), arrays


def _by_jax(loss: Callable[[], Any], variables: Sequence[keras.Variable]) -> tuple[float, list[np.ndarray]]:
    """JAX differentiates functions: so the loss becomes one of the variables' values."""
    import jax

    def of_values(values: list[Any]) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return loss()

    value, found = jax.value_and_grad(of_values)([v.value for v in variables])
    return float(value), [np.array(gradient) for gradient in found]


def _dense(gradient: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(gradient), np.float32)


def feed(batches: keras.utils.PyDataset) -> Any:
    """What `fit` takes to read `batches` in order, made ahead of their step.

    On TensorFlow a `tf.data.Dataset` of two batches' prefetch and no autotuning: the one Keras would make autotunes,
    and ends every epoch waiting up to 15 idle seconds for the tuner's thread (TensorFlow 2.21). On other backends
    `_Ahead`: Keras's own workers move the first batch behind the last in the first epoch after each `compile`
    (3.15), so that a training that was killed and goes on would not be the undisturbed one.
    """
    if keras.backend.backend() != "tensorflow":
        return _Ahead(batches)
    import tensorflow as tf

    reference = weakref.ref(batches)  # TensorFlow keeps `read` for good, and would keep every epoch's images with it

    def read() -> Iterator[tuple[Any, ...]]:
        source = reference()
        return (source[i] for i in range(len(source)))

    signature = tuple(tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in batches[0])
    options = tf.data.Options()
    options.autotune.enabled = False
    dataset = tf.data.Dataset.from_generator(read, output_signature=signature)
    return dataset.apply(tf.data.experimental.assert_cardinality(len(batches))).prefetch(2).with_options(options)


class _Ahead(keras.utils.PyDataset):
    """Another's batches, the next four of which two threads make while one is trained on; in order."""

    def __init__(self, batches: keras.utils.PyDataset) -> None:
        super().__init__()
        self.batches, self.threads = batches, ThreadPoolExecutor(2)
        self.made: dict[int, Future[tuple[np.ndarray, ...]]] = {}

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        for later in range(index, min(index + 5, len(self))):
            if later not in self.made:
                self.made[later] = self.threads.submit(self.batches.__getitem__, later)
        return self.made.pop(index).result()


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


def litert_options(images: np.ndarray | None = None, half: bool = False) -> dict[str, Any]:
    """Options of Keras's LiteRT export for smaller files; TensorFlow's converter takes its own enumerations alone.

    Args:
        images: representative ones, float32 (n, h, w, 1): weights and activations become 8 bits.
        half: weights as float16.
    """
    import tensorflow as tf

    smaller = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    if images is not None:
        return smaller | {"representative_dataset": lambda: ([image[None]] for image in images)}
    return smaller | {"target_spec": {"supported_types": [tf.float16]}} if half else {}


def peak_memory_mib() -> float:
    """Largest resident memory of this process so far; needs a system that counts it, so not Windows itself."""
    import resource  # here, because Windows has none

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
