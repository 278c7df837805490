"""A Keras network written as an ONNX file, and its weights read back.

Keras's own ONNX export was tried first. It goes through TensorFlow whatever the backend, takes 46 s for psg2025, and
folds batch normalisation into new weights: a file of float16 weights then equals no Keras network, and cannot be read
back by one. Here every weight keeps its name, `layer/variable`, and its value, so that one small file serves ONNX
Runtime and, through `read_weights`, Keras. ONNX Runtime folds the normalisation itself when it loads the file.

Features are channels-first inside, as ONNX has them; the input is (n, h, w, 1) as in Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

from fer_utils.models.attention import ChannelMeanMax

OPSET = 17
_IR_VERSION = 8


def to_onnx(model: keras.Model, metadata: Mapping[str, str], half: bool = False) -> ModelProto:
    """The network as ONNX: input `image`, output `logits`, nothing that only acts in training.

    Args:
        model: a flat functional network, as `models.build` gives.
        metadata: texts to store in the file.
        half: store kernels as float16; all arithmetic stays float32. Vectors (biases, normalisation) stay float32.

    Raises:
        ValueError: a layer has no form here, or a kernel does not fit into float16.
    """
    graph = _Graph(half)
    graph.nodes.append(helper.make_node("Identity", [_trace(graph, model)], ["logits"]))
    _, height, width, channels = model.input_shape
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", height or "h", width or "w", channels])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", model.output_shape[-1]])
    whole = helper.make_graph(graph.nodes, model.name, [image], [logits], list(graph.weights.values()))
    proto = helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="fer-study")
    proto.ir_version = _IR_VERSION
    helper.set_model_props(proto, dict(metadata))
    checker.check_model(proto)
    return proto


def _trace(graph: _Graph, model: keras.Model) -> str:
    """Convert every call of a layer, in the order of the network; returns the name of its output."""
    image = graph.add("Transpose", ["image"], perm=[0, 3, 1, 2])
    names: dict[int, str] = {}
    tensors: list[Any] = []  # kept, so that ids stay unique

    def call(layer: keras.Layer, *inputs: Any, **_: Any) -> Any:
        flat, output = keras.tree.flatten(inputs), layer(*inputs)
        given = [names.get(id(tensor), image) for tensor in flat]
        names[id(output)] = _convert(graph, model.get_layer(layer.name), given, flat[0].ndim)
        tensors.extend([*flat, output])
        return output

    keras.models.clone_model(model, call_function=call)
    return names[id(tensors[-1])]


def read_weights(proto: ModelProto, model: keras.Model) -> None:
    """Give a network of the same architecture the weights of a file that `to_onnx` wrote.

    Raises:
        ValueError: they do not fit.
    """
    stored = {tensor.name: tensor for tensor in proto.graph.initializer}
    for layer in model.layers:
        for variable in _variables(layer):
            tensor = stored.get(f"{layer.name}/{variable.name}")
            if tensor is None:
                raise ValueError(f"The file has no {layer.name}/{variable.name} of {model.name!r}: another network.")
            values = numpy_helper.to_array(tensor).astype(np.float32)
            variable.assign(_unpacked(values, variable.name, tuple(variable.shape)))


def _variables(layer: keras.Layer) -> list[Any]:
    """Weights, not the state of random generators."""
    return [v for v in layer.variables if "seed" not in v.path]


def _packed(kernel: np.ndarray, name: str) -> np.ndarray:
    """Keras's layout (h, w, in, out) to ONNX's (out, in, h, w); depthwise (h, w, in, m) to (in * m, 1, h, w)."""
    if kernel.ndim != 4:
        return kernel
    if name == "depthwise_kernel":
        return kernel.transpose(2, 3, 0, 1).reshape(-1, 1, *kernel.shape[:2])
    return kernel.transpose(3, 2, 0, 1)


def _unpacked(kernel: np.ndarray, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The inverse of `_packed`."""
    if kernel.ndim != 4:
        return kernel
    if name == "depthwise_kernel":
        return kernel.reshape(shape[2], shape[3], *shape[:2]).transpose(2, 3, 0, 1)
    return kernel.transpose(2, 3, 1, 0)


class _Graph:
    """Nodes and weights collected so far."""

    def __init__(self, half: bool) -> None:
        self.nodes: list[Any] = []
        self.weights: dict[str, TensorProto] = {}
        self.half = half

    def add(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """One node with one output; returns that output's name."""
        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def weight(self, layer: keras.Layer, name: str) -> str:
        """A layer's variable as float32 (shared where the layer is called again); returns its name in the graph."""
        variable = next(v for v in layer.variables if v.name == name)
        key = f"{layer.name}/{name}"
        values = _packed(keras.ops.convert_to_numpy(variable).astype(np.float32), name)
        if not self.half or values.ndim == 1:
            self.weights[key] = numpy_helper.from_array(np.ascontiguousarray(values), key)
            return key
        if np.abs(values).max() > np.finfo(np.float16).max:
            raise ValueError(f"Weights up to 65,504 fit into float16; {key} holds larger ones. Export as float32.")
        self.weights[key] = numpy_helper.from_array(np.ascontiguousarray(values.astype(np.float16)), key)
        return self.add("Cast", [key], to=TensorProto.FLOAT)

    def constant(self, values: np.ndarray) -> str:
        """An array that is no weight of Keras's."""
        key = f"constant_{len(self.weights)}"
        self.weights[key] = numpy_helper.from_array(values, key)
        return key


def _convert(graph: _Graph, layer: keras.Layer, inputs: list[str], rank: int) -> str:
    """Nodes of one call of a layer; returns its output's name."""
    for kind, converter in _CONVERTERS.items():
        if type(layer) is kind:
            return converter(graph, layer, inputs, rank)
    known = ", ".join(kind.__name__ for kind in _CONVERTERS)
    raise ValueError(
        f"Layers that have an ONNX form here are {known}; {layer.name!r} is {type(layer).__name__}. "
        "The recognizer runs such a network in Keras."
    )


def _same(graph: _Graph, layer: keras.Layer, inputs: list[str], rank: int) -> str:
    return inputs[0]


def _activated(graph: _Graph, x: str, function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", str(function))
    if name == "linear":
        return x
    if name in ("silu", "swish"):
        return graph.add("Mul", [x, graph.add("Sigmoid", [x])])
    if name not in (kinds := {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "elu": "Elu"}):
        raise ValueError(f"An activation with an ONNX form here is {', '.join(kinds)} or silu; got {name!r}.")
    return graph.add(kinds[name], [x])


def _activation(graph: _Graph, layer: keras.Layer, inputs: list[str], rank: int) -> str:
    return _activated(graph, inputs[0], layer.activation)


def _relu(graph: _Graph, layer: keras.layers.ReLU, inputs: list[str], rank: int) -> str:
    if layer.max_value is not None or layer.negative_slope or layer.threshold:
        raise ValueError(f"A ReLU with an ONNX form here is the plain one; {layer.name!r} has a slope or a limit.")
    return graph.add("Relu", inputs)


def _padding(layer: keras.Layer) -> dict[str, Any]:
    return {"auto_pad": "SAME_UPPER" if layer.padding == "same" else "VALID", "strides": list(layer.strides)}


def _conv(graph: _Graph, layer: keras.layers.Conv2D, inputs: list[str], rank: int) -> str:
    weights = [graph.weight(layer, name) for name in ("kernel", "bias")[: 1 + layer.use_bias]]
    settings = {**_padding(layer), "dilations": list(layer.dilation_rate), "group": layer.groups}
    return _activated(graph, graph.add("Conv", [*inputs, *weights], **settings), layer.activation)


def _separable(graph: _Graph, layer: keras.layers.SeparableConv2D, inputs: list[str], rank: int) -> str:
    channels, multiplier = layer.depthwise_kernel.shape[2:]
    if multiplier != 1 or tuple(layer.dilation_rate) != (1, 1):
        raise ValueError(f"A separable convolution here has one filter a channel, undilated; {layer.name!r} has not.")
    x = graph.add("Conv", [*inputs, graph.weight(layer, "depthwise_kernel")], **_padding(layer), group=channels)
    weights = [graph.weight(layer, name) for name in ("pointwise_kernel", "bias")[: 1 + layer.use_bias]]
    return _activated(graph, graph.add("Conv", [x, *weights]), layer.activation)


def _norm(graph: _Graph, layer: keras.layers.BatchNormalization, inputs: list[str], rank: int) -> str:
    width = layer.moving_mean.shape[0]
    scale = graph.weight(layer, "gamma") if layer.scale else graph.constant(np.ones(width, np.float32))
    shift = graph.weight(layer, "beta") if layer.center else graph.constant(np.zeros(width, np.float32))
    moments = [graph.weight(layer, name) for name in ("moving_mean", "moving_variance")]
    return graph.add("BatchNormalization", [*inputs, scale, shift, *moments], epsilon=float(layer.epsilon))


def _pool(kind: str) -> Callable[..., str]:
    def convert(graph: _Graph, layer: keras.Layer, inputs: list[str], rank: int) -> str:
        return graph.add(kind, inputs, kernel_shape=list(layer.pool_size), **_padding(layer))

    return convert


def _global(kind: str) -> Callable[..., str]:
    def convert(graph: _Graph, layer: keras.Layer, inputs: list[str], rank: int) -> str:
        x = graph.add(kind, inputs)
        return x if layer.keepdims else graph.add("Flatten", [x])

    return convert


def _flatten(graph: _Graph, layer: keras.Layer, inputs: list[str], rank: int) -> str:
    x = graph.add("Transpose", inputs, perm=[0, 2, 3, 1]) if rank == 4 else inputs[0]
    return graph.add("Flatten", [x])


def _dense(graph: _Graph, layer: keras.layers.Dense, inputs: list[str], rank: int) -> str:
    x = graph.add("Transpose", inputs, perm=[0, 2, 3, 1]) if rank == 4 else inputs[0]
    x = graph.add("MatMul", [x, graph.weight(layer, "kernel")])
    x = graph.add("Add", [x, graph.weight(layer, "bias")]) if layer.use_bias else x
    return _activated(graph, graph.add("Transpose", [x], perm=[0, 3, 1, 2]) if rank == 4 else x, layer.activation)


def _merge(kind: str) -> Callable[..., str]:
    def convert(graph: _Graph, layer: keras.Layer, inputs: list[str], rank: int) -> str:
        x = inputs[0]
        for other in inputs[1:]:
            x = graph.add(kind, [x, other])
        return x

    return convert


def _rescaling(graph: _Graph, layer: keras.layers.Rescaling, inputs: list[str], rank: int) -> str:
    scale, offset = (np.ravel(np.asarray(v, np.float32)).reshape(1, -1, 1, 1) for v in (layer.scale, layer.offset))
    return graph.add("Add", [graph.add("Mul", [*inputs, graph.constant(scale)]), graph.constant(offset)])


def _concatenate(graph: _Graph, layer: keras.layers.Concatenate, inputs: list[str], rank: int) -> str:
    if layer.axis not in (-1, rank - 1):
        raise ValueError(f"A concatenation here joins channels; {layer.name!r} joins axis {layer.axis}.")
    return graph.add("Concat", inputs, axis=1)


def _zero_padding(graph: _Graph, layer: keras.layers.ZeroPadding2D, inputs: list[str], rank: int) -> str:
    (top, bottom), (left, right) = layer.padding
    return graph.add("Pad", [*inputs, graph.constant(np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))])


def _mean_max(graph: _Graph, layer: keras.Layer, inputs: list[str], rank: int) -> str:
    maps = [graph.add(kind, inputs, axes=[1], keepdims=1) for kind in ("ReduceMean", "ReduceMax")]
    return graph.add("Concat", maps, axis=1)


_CONVERTERS: dict[type, Callable[..., str]] = {
    keras.layers.InputLayer: _same,
    keras.layers.Dropout: _same,
    keras.layers.Conv2D: _conv,
    keras.layers.SeparableConv2D: _separable,
    keras.layers.BatchNormalization: _norm,
    keras.layers.ReLU: _relu,
    keras.layers.Activation: _activation,
    keras.layers.MaxPooling2D: _pool("MaxPool"),
    keras.layers.AveragePooling2D: _pool("AveragePool"),
    keras.layers.GlobalAveragePooling2D: _global("GlobalAveragePool"),
    keras.layers.GlobalMaxPooling2D: _global("GlobalMaxPool"),
    keras.layers.Flatten: _flatten,
    keras.layers.Dense: _dense,
    keras.layers.Add: _merge("Add"),
    keras.layers.Multiply: _merge("Mul"),
    keras.layers.Concatenate: _concatenate,
    keras.layers.Rescaling: _rescaling,
    keras.layers.ZeroPadding2D: _zero_padding,
    ChannelMeanMax: _mean_max,
}
