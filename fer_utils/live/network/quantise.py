"""The shipped network in smaller number formats: what LiteRT and ONNX Runtime make of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fer_utils.live.network import export
from fer_utils.live.network.description import Description
from fer_utils.live.network.engines import OnnxEngine
from fer_utils.training import backend

Scores = Callable[[np.ndarray], np.ndarray]
"""From prepared images float32 (n, size, size, 1) to scores float32 (n, k)."""


def onnx_int8(model: keras.Model, description: Description, images: np.ndarray, threads: int) -> tuple[int, Scores]:
    """ONNX Runtime's static quantisation: weights per channel and activations to 8 bits.

    Args:
        model, description: the network.
        images: representative ones, float32 (n, size, size, 1), from training data.
        threads: of ONNX Runtime.

    Returns:
        Bytes of the file, and what computes the scores.
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter(images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self.left, None)
            return None if image is None else {"image": image[None]}

    with tempfile.TemporaryDirectory() as folder:
        whole, folded, small = (Path(folder) / name for name in ("whole.onnx", "folded.onnx", "int8.onnx"))
        whole.write_bytes(export.to_bytes(model, description))
        quant_pre_process(whole, folded, skip_symbolic_shape=True)
        quantization.quantize_static(folded, small, Reader(), per_channel=True)
        content = small.read_bytes()
    return len(content), OnnxEngine(content, threads)


def litert(
    model: keras.Model, threads: int, images: np.ndarray | None = None, half: bool = False
) -> tuple[int, Scores]:
    """LiteRT (formerly TensorFlow Lite) through Keras's own export; needs the TensorFlow backend.

    Args:
        model: the network.
        threads: of LiteRT.
        images: representative ones, float32 (n, size, size, 1); if given, weights and activations become 8 bits.
        half: weights as float16.

    Returns:
        Bytes of the file, and what computes the scores, one image at a time.

    Raises:
        ImportError: LiteRT or the TensorFlow backend is not there.
    """
    if keras.backend.backend() != "tensorflow":
        raise ImportError("LiteRT's export needs the TensorFlow backend")
    from ai_edge_litert.interpreter import Interpreter

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        signature = [keras.InputSpec(shape=(1, *model.input_shape[1:]), dtype="float32", name="image")]
        options = backend.litert_options(images, half)
        model.export(path, format="litert", verbose=False, input_signature=signature, **options)
        content = path.read_bytes()
    return len(content), _interpreted(Interpreter(model_content=content, num_threads=threads))


def _interpreted(interpreter: Any) -> Scores:
    interpreter.allocate_tensors()
    given, made = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def scores(batch: np.ndarray) -> np.ndarray:
        found = []
        for image in batch:
            interpreter.set_tensor(given, image[None])
            interpreter.invoke()
            found.append(interpreter.get_tensor(made)[0].copy())
        return np.stack(found)

    return scores
