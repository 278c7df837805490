"""Networks of the user's own: `"module:function"` names an importable function that builds one.

With `small` in `my_networks.py`, beside the notebook or where the command is given,

    def small(n_classes, size, *, width=32):
        image = keras.Input((size, size, 1))
        x = keras.layers.Conv2D(width, 3, activation="relu")(image)
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(image, keras.layers.Dense(n_classes)(x))  # logits: no softmax

it is trained under the protocol of all others:

    RunConfig("my_networks:small", "synthetic", phases=(Phase(5, 1e-3),), model_options={"width": 16})
"""

import importlib
import importlib.util
import sysconfig
from pathlib import Path
from typing import Any

import keras
import numpy as np


def is_own(name: str) -> bool:
    """Whether a network's name has the form `"module:function"`."""
    return ":" in name


def build_own(name: str, n_classes: int, size: int | None, **options: Any) -> keras.Model:
    """Calls the user's function and checks that the study can train what comes back.

    Start weights follow from Keras's global seed, which a training sets, unless the function seeds its layers itself.
    Layers that the function freezes (`trainable = False`) stay frozen.

    Args:
        name: `"module:function"`; the module must be importable, for example from the working directory.
        n_classes: Number of scores.
        size: Height and width of the image in pixels, or None for any.
        **options: Further arguments of the function.

    Returns:
        A functional model from float32 images (batch, size, size, 1) in [0, 1] to float32 logits (batch, n_classes).

    Raises:
        ModuleNotFoundError: There is no such module; the message says where modules are looked for.
        ValueError: The module has no such function, or it builds something else.
    """
    module, _, function = name.partition(":")
    _check_place(name, module)
    try:
        builder = getattr(importlib.import_module(module), function, None)
    except ModuleNotFoundError as error:
        if error.name != module.split(".")[0]:
            raise
        raise ModuleNotFoundError(
            f"A network named {name!r} is the function {function!r} of an importable module {module!r}; there is none. "
            "Start Python in the folder that holds it, or add that folder to PYTHONPATH.",
            name=error.name,
        ) from None
    if not callable(builder):
        raise ValueError(f"The module {module!r} has no function {function!r}. Define it, or correct the name.")
    model = _functional(name, builder(n_classes, size, **options))
    _check(name, model, n_classes, size)
    return model


def _check_place(name: str, module: str) -> None:
    """Refuse modules of Python or of installed packages: a record's name must not lead a reader's machine to them."""
    spec = importlib.util.find_spec(module.split(".")[0])
    if spec is None:
        return
    places = [Path(path) for path in sysconfig.get_paths().values()]
    file = Path(spec.origin or "")
    if not file.is_file() or any(file.is_relative_to(place) for place in places):
        raise ValueError(
            f"A network of your own is a function of a module in your own folder; got {name!r}, which is Python's or "
            "an installed package's. Name a module of yours that calls it."
        )


def _functional(name: str, model: Any) -> Any:
    """A `keras.Sequential` as the graph of its layers, which all of the study works on; anything else as it is."""
    if not isinstance(model, keras.Sequential):
        return model
    if not model.built:
        raise ValueError(
            f"A network of the study says what it takes; the keras.Sequential of {name} does not. Begin it with "
            "keras.Input((size, size, 1))."
        )
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)


def _check(name: str, model: Any, n_classes: int, size: int | None) -> None:
    rule = f"A network of the study maps images (batch, {size}, {size}, 1) to float32 logits (batch, {n_classes})"
    if not isinstance(model, keras.Model) or len(getattr(model, "inputs", None) or ()) != 1:
        raise ValueError(
            f"{rule}; {name} returned {type(model).__name__}. Return a functional keras.Model of one input."
        )
    shapes = tuple(model.input_shape[1:]), tuple(model.output_shape[1:])
    if shapes != ((size, size, 1), (n_classes,)):
        raise ValueError(f"{rule}; {name} maps {shapes[0]} to {shapes[1]}. Use its arguments n_classes and size.")
    if keras.backend.standardize_dtype(model.output.dtype) != "float32":
        raise ValueError(f"{rule}; {name} gives {model.output.dtype}. Give its last layer dtype='float32'.")
    noise = np.random.default_rng(0).random((2, size or 48, size or 48, 1), np.float32)
    scores = keras.ops.convert_to_numpy(model(noise))
    if ((scores >= 0) & (scores <= 1)).all() and (_sums_to_one(scores) or _is_sigmoid(model.layers[-1])):
        raise ValueError(f"{rule}; {name} ends in probabilities. Leave the last activation out: the loss has it.")


def _sums_to_one(scores: np.ndarray) -> bool:
    return bool(np.allclose(scores.sum(axis=1), 1, atol=1e-3))


def _is_sigmoid(layer: keras.Layer) -> bool:
    return getattr(layer, "activation", None) is keras.activations.sigmoid
