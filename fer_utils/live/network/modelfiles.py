"""What a model file must be before anything in it runs: plain operators, all weights inside, sizes that are known."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from fer_utils.files import reading
from fer_utils.live.network.description import Description, described

MAX_VALUES = 50_000_000
"""Numbers that a network may hold at one place for one picture."""

MAX_WORK = 10**12
"""Multiplications that a network may take for one picture, about; VGG16 on 224 x 224 pixels takes 1.5e10."""

OPERATORS = {
    "Add", "AveragePool", "BatchNormalization", "Cast", "Concat", "Conv", "DequantizeLinear", "Elu", "Flatten", "Gemm",
    "GlobalAveragePool", "GlobalMaxPool", "Identity", "MatMul", "MaxPool", "Mul", "Pad", "QuantizeLinear", "ReduceMax",
    "ReduceMean", "Relu", "Sigmoid", "Tanh", "Transpose",
}  # fmt: skip
"""What `graph.to_onnx` and ONNX Runtime's quantisation write; no loops, no branches, nothing that only fills memory."""

_SMALL = 64  # an initializer of so many numbers may be a shape that others follow from


def parsed(content: bytes) -> Any:
    """The ONNX model in a file's bytes, which must be complete in itself.

    Raises:
        ValueError: no ONNX file, or one that points to other files.
        ImportError: the package `onnx` is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError(
            "An .onnx file of one's own is looked through by the package onnx, which is missing. Install it with: "
            "python -m pip install onnx."
        ) from error
    try:
        proto = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own errors, which differ between its implementations
        reason = type(error).__name__
        raise ValueError(f"A model file is ONNX; these {len(content):,} bytes are not ({reason}).") from None
    if any(tensor.data_location or tensor.external_data for tensor in _tensors(proto)):
        raise ValueError("A model file is complete in itself; this one points to weights in other files: refused.")
    return proto


def description(proto: Any) -> Description:
    """What a file of `parsed` says about its network; ValueError where it says nothing."""
    return described({str(entry.key): entry.value for entry in proto.metadata_props})


def _tensors(message: Any) -> Iterator[Any]:
    """Every tensor at any depth of an ONNX message: weights, attributes, branches, functions."""
    if type(message).__name__ == "TensorProto":
        yield message
        return
    for descriptor, value in message.ListFields():
        if descriptor.message_type is not None:
            for item in value if descriptor.is_repeated else [value]:
                yield from _tensors(item)


def check_graph(proto: Any, size: int) -> None:
    """Refuse an ONNX network of other operators than this study's, or of sizes that are too large or not known.

    Args:
        proto: of `parsed`.
        size: side of its input in pixels.

    Raises:
        ValueError: as said.
    """
    graph = proto.graph
    kinds = {node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}" for node in graph.node}
    kinds |= {"a function"} if proto.functions else set()
    kinds |= {"a sparse weight"} if graph.sparse_initializer else set()
    if foreign := sorted(kinds - OPERATORS):
        came = reading.one_line(", ".join(foreign))
        raise ValueError(f"A model file consists of {', '.join(sorted(OPERATORS))}; this one has {came}: refused.")
    try:
        shapes = _shapes(proto, size)
        work = _work(proto, shapes)
    except Exception as error:  # onnx's own errors, which derive from no common one
        raise ValueError(f"A model file is a whole network; this one is not ({reading.one_line(error)}).") from None
    largest = max(map(math.prod, shapes.values()), default=0)
    if largest > MAX_VALUES or work > MAX_WORK:
        raise ValueError(
            f"A network holds at most {MAX_VALUES:,} numbers at one place and takes at most {MAX_WORK:.0e} "
            f"multiplications; this model file claims {largest:,} and {work:.0e}: refused."
        )


def _shapes(proto: Any, size: int) -> dict[str, list[int]]:
    """Shape of every tensor for one picture."""
    import onnx

    found = onnx.shape_inference.infer_shapes(_light(proto, size), check_type=True, strict_mode=True, data_prop=True)
    values = (*found.graph.value_info, *found.graph.input, *found.graph.output)
    known = {v.name: v.type.tensor_type.shape.dim for v in values if v.type.tensor_type.HasField("shape")}
    for name in (name for node in proto.graph.node for name in node.output if name):
        if name not in known or any(side.dim_value < 1 for side in known[name]):
            raise ValueError(f"the size of {name!r} is not known")
    return {name: [side.dim_value for side in shape] for name, shape in known.items()}


def _light(proto: Any, size: int) -> Any:
    """The network for one picture, without its weights: large ones become inputs, which need no memory."""
    import onnx

    light = onnx.ModelProto(ir_version=proto.ir_version, opset_import=proto.opset_import)
    for field in ("node", "input", "output"):
        getattr(light.graph, field).extend(getattr(proto.graph, field))
    light.graph.name = "sizes"
    sides = light.graph.input[0].type.tensor_type.shape.dim
    for side, value in zip(sides, (1, size, size, 1), strict=True):
        side.dim_value = side.dim_value or value
    for tensor in proto.graph.initializer:
        if math.prod(tensor.dims) <= _SMALL:
            light.graph.initializer.append(tensor)
        else:
            light.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return light


def _work(proto: Any, shapes: dict[str, list[int]]) -> int:
    """About how many multiplications: each weight once for every place of what it makes."""
    weights = {tensor.name: math.prod(tensor.dims) for tensor in proto.graph.initializer}
    total = 0
    for node in proto.graph.node:
        own = sum(weights.get(name, 0) for name in node.input)
        if node.op_type in ("Cast", "DequantizeLinear", "Identity"):
            weights[node.output[0]] = own
        total += own * math.prod(shapes[node.output[0]][2:] or [1])
    return total
