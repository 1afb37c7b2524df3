"""Networks in TensorFlow.js' graph layout (`model.json` and its weights), run by torch.

Networks that were published for the browser come in this layout: a list of named operations and one
file of weights. Only the operations of `unipose.vision.network_files` are known here. Values keep
TensorFlow's axes (batch, height, width, channel).
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from unipose.errors import WeightsError

Value = Tensor | Sequence[Tensor]


class GraphModel:
    """A network as a list of operations in the order of their needs.

    Raises WeightsError if the files are no such graph, or hold operations that are not known.
    """

    def __init__(self, path: Path) -> None:
        """Read `path` (.json) and the file of weights beside it (.bin)."""
        try:
            content = json.loads(path.read_text("utf-8"))
            weights = _read_weights(content["weightsManifest"], path)
            nodes = [_Node.of(node) for node in content["modelTopology"]["node"]]
            self._plan = [(node, _work(node, weights)) for node in _in_order(nodes)]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise WeightsError(
                path, f"is no graph model of TensorFlow.js ({type(error).__name__}: {error})."
            ) from error

    @torch.inference_mode()
    def __call__(self, image: Tensor, *wanted: str) -> list[Tensor]:
        """Return the outputs of these names for one input, whatever name that has."""
        values: dict[str, Value] = {}
        for node, work in self._plan:
            values[node.name] = work([_value(values, name) for name in node.inputs], image)
        return [_value(values, name) for name in wanted]


def _value(values: Mapping[str, Value], name: str) -> Tensor:
    """Return an output of an operation: `name`, or `name:1` for the second of several."""
    name, _, number = name.partition(":")
    found = values[name]
    return found if isinstance(found, Tensor) else found[int(number or 0)]


@dataclass(frozen=True)
class _Node:
    """One operation."""

    name: str
    op: str
    inputs: tuple[str, ...]
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> _Node:
        # an input with a caret only says what has to run before
        inputs = tuple(name for name in node.get("input", ()) if not name.startswith("^"))
        settings = {name: _setting(value) for name, value in node.get("attr", {}).items() if value}
        return cls(node["name"], node["op"], inputs, settings)

    def get(self, name: str, default: Any = 0) -> Any:
        value = self.settings.get(name)
        return default if value is None else value


def _setting(value: Mapping[str, Any]) -> Any:
    """Return an attribute: its number, truth, word, type, or a list of such."""
    kind, content = next(iter(value.items()))
    match kind:
        case "list":
            return [_setting({kind: item}) for kind, items in content.items() for item in items]
        case "i":
            return int(content)
        case "f":
            return float(content)
        case "s":
            return b64decode(content).decode()
        case _:
            return content


def _read_weights(manifest: Sequence[Mapping[str, Any]], path: Path) -> dict[str, Tensor]:
    weights = {}
    for group in manifest:
        data = b"".join((path.parent / Path(name).name).read_bytes() for name in group["paths"])
        at = 0
        for entry in group["weights"]:
            kind = entry.get("quantization", entry)["dtype"]
            values = np.frombuffer(data, kind, int(np.prod(entry["shape"])), at)
            at += values.nbytes
            values = values.reshape(entry["shape"]).astype(entry["dtype"])
            weights[entry["name"]] = torch.from_numpy(values)
        if at != len(data):
            raise ValueError(f"{len(data)} bytes of weights where {at} belong to the graph")
    return weights


def _in_order(nodes: Sequence[_Node]) -> list[_Node]:
    """Return the operations so that each comes after what it needs."""
    by_name = {node.name: node for node in nodes}
    found: dict[str, _Node] = {}

    def visit(node: _Node) -> None:
        if node.name not in found:
            for name in node.inputs:
                visit(by_name[name.partition(":")[0]])
            found[node.name] = node

    for node in nodes:
        visit(node)
    return list(found.values())


def _work(node: _Node, weights: Mapping[str, Tensor]) -> Callable[[list[Tensor], Tensor], Value]:
    """Return what computes an operation from its inputs and the network's input."""
    if node.op == "Placeholder":
        return lambda _, image: image
    if node.op == "Const":
        constant = weights[node.name]
        return lambda _, __: constant
    if node.op in _CONVOLUTIONS:
        convolve = _convolution(node, weights[node.inputs[1]])
        return lambda inputs, _: convolve(inputs)
    if node.op not in _OPERATIONS:
        raise ValueError(f"the operation {node.op!r} is not known")
    operation = _OPERATIONS[node.op]
    return lambda inputs, _: operation(node, *inputs)


# ------------------------------------------------------------------------------ operations
_ACTIVATIONS = {"Relu": functional.relu, "Relu6": functional.relu6}
_CONVOLUTIONS = ("Conv2D", "_FusedConv2D", "DepthwiseConv2dNative", "FusedDepthwiseConv2dNative")


def _convolution(node: _Node, kernel: Tensor) -> Callable[[list[Tensor]], Tensor]:
    depthwise = "Depthwise" in node.op
    kernel = kernel.permute(2, 3, 0, 1) if depthwise else kernel.permute(3, 2, 0, 1)
    kernel = kernel.reshape(-1, 1, *kernel.shape[2:]) if depthwise else kernel
    kernel = kernel.contiguous(memory_format=torch.channels_last)
    steps = node.get("strides")[1:3]
    fused = node.get("fused_ops", [])
    unknown = set(fused) - {"BiasAdd", "Prelu", *_ACTIVATIONS}
    if unknown or node.get("data_format", "NHWC") != "NHWC":
        raise ValueError(f"a convolution with {sorted(unknown)}, {node.get('data_format')}")
    padded = node.get("padding") == "SAME"

    def convolve(inputs: list[Tensor]) -> Tensor:
        image = inputs[0].permute(0, 3, 1, 2)
        ends = _same_padding(image.shape[2:], kernel.shape[2:], steps) if padded else [(0, 0)] * 2
        if any(before != after for before, after in ends):
            image = functional.pad(image, (*ends[1], *ends[0]))
            ends = [(0, 0)] * 2
        found = functional.conv2d(
            image, kernel, inputs[2] if "BiasAdd" in fused else None, tuple(steps),
            (ends[0][0], ends[1][0]), groups=image.shape[1] // kernel.shape[1],
        )  # fmt: skip
        for name in fused:
            if name in _ACTIVATIONS:
                found = _ACTIVATIONS[name](found, inplace=True)
        found = found.permute(0, 2, 3, 1)
        return _prelu(node, found, inputs[3]) if "Prelu" in fused else found

    return convolve


def _prelu(_: _Node, image: Tensor, slope: Tensor) -> Tensor:
    return torch.where(image < 0, image * slope, image)


def _same_padding(
    sizes: Sequence[int], windows: Sequence[int], steps: Sequence[int]
) -> list[tuple[int, int]]:
    """Return what TensorFlow adds before and after each axis; an odd one goes after."""
    ends = []
    for size, window, step in zip(sizes, windows, steps, strict=True):
        missing = max((-(-size // step) - 1) * step + window - size, 0)
        ends.append((missing // 2, missing - missing // 2))
    return ends


def _fused_product(node: _Node, rows: Tensor, weights: Tensor, *more: Tensor) -> Tensor:
    fused = node.get("fused_ops", [])
    if node.get("transpose_a") or node.get("transpose_b") or set(fused) - {"BiasAdd"}:
        raise ValueError(f"a product of matrices with {fused}")
    found = rows @ weights
    return found + more[0] if fused else found


def _max_pool(node: _Node, image: Tensor) -> Tensor:
    window, steps = node.get("ksize")[1:3], node.get("strides")[1:3]
    image = image.permute(0, 3, 1, 2)
    if node.get("padding") == "SAME":
        rows, columns = _same_padding(image.shape[2:], window, steps)
        image = functional.pad(image, (*columns, *rows), value=float("-inf"))
    return functional.max_pool2d(image, tuple(window), tuple(steps)).permute(0, 2, 3, 1)


def _resize(node: _Node, image: Tensor, size: Tensor) -> Tensor:
    corners, centres = node.get("align_corners", False), node.get("half_pixel_centers", False)
    height, width = size.tolist()
    image = image.permute(0, 3, 1, 2)
    if corners or centres:
        image = functional.interpolate(image, (height, width), mode="bilinear",
                                       align_corners=bool(corners))  # fmt: skip
        return image.permute(0, 2, 3, 1)
    for axis, wanted in ((2, height), (3, width)):  # TensorFlow's first way: corners kept at 0
        have = image.shape[axis]
        places = torch.arange(wanted) * (have / wanted)
        low = places.long().clamp(max=have - 1)
        share = (places - low).reshape([-1 if i == axis else 1 for i in range(4)])
        high = (low + 1).clamp(max=have - 1)
        image = torch.lerp(image.index_select(axis, low), image.index_select(axis, high), share)
    return image.permute(0, 2, 3, 1)


def _pad(_: _Node, image: Tensor, ends: Tensor, value: Tensor | None = None) -> Tensor:
    flat = [v for pair in reversed(ends.tolist()) for v in pair]
    return functional.pad(image, flat, value=0.0 if value is None else float(value))


def _strided_slice(node: _Node, values: Tensor, *limits: Tensor) -> Tensor:
    """TensorFlow's slices: a bit for each place that says how it is meant."""
    begin, end, steps = (limit.tolist() for limit in limits)
    masks = {
        name: node.get(f"{name}_mask")
        for name in ("ellipsis", "new_axis", "shrink_axis", "begin", "end")
    }
    where: list[Any] = []
    for i in range(len(begin)):
        said = {name for name, mask in masks.items() if mask >> i & 1}
        if "ellipsis" in said:
            where.append(...)
        elif "new_axis" in said:
            where.append(None)
        elif "shrink_axis" in said:
            where.append(begin[i])
        else:
            first = None if "begin" in said else begin[i]
            where.append(slice(first, None if "end" in said else end[i], steps[i]))
    return values[tuple(where)]


def _sparse_to_dense(
    _: _Node, places: Tensor, shape: Tensor, values: Tensor, default: Tensor
) -> Tensor:
    dense = torch.full(shape.tolist(), default.item(), dtype=values.dtype)
    dense[tuple(places.long().reshape(-1, dense.ndim).unbind(-1))] = values
    return dense


def _top(_: _Node, values: Tensor, count: Tensor) -> list[Tensor]:
    found = values.topk(int(count))
    return [found.values, found.indices.int()]


def _reduce(kind: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def reduce(node: _Node, values: Tensor, axes: Tensor) -> Tensor:
        over = tuple(axes.reshape(-1).tolist())
        return kind(values, dim=over, keepdim=bool(node.get("keep_dims", False)))

    return reduce


def _plain(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda _, *values: function(*values)


_TYPES = {"DT_FLOAT": torch.float32, "DT_INT32": torch.int32, "DT_BOOL": torch.bool}

_OPERATIONS: dict[str, Callable[..., Value]] = {
    **dict.fromkeys(("Add", "AddV2"), _plain(torch.add)),
    "Mul": _plain(torch.mul), "Sub": _plain(torch.sub), "RealDiv": _plain(torch.div),
    "FloorDiv": lambda _, a, b: torch.div(a, b, rounding_mode="floor"),
    "SquaredDifference": lambda _, a, b: (a - b) ** 2,
    "Sqrt": _plain(torch.sqrt), "Sigmoid": _plain(torch.sigmoid), "Identity": _plain(lambda a: a),
    "Relu": _plain(functional.relu), "Relu6": _plain(functional.relu6),
    "LeakyRelu": lambda node, a: functional.leaky_relu(a, node.get("alpha", 0.2)),
    "Prelu": _prelu,
    "AddN": lambda _, *parts: torch.stack(parts).sum(dim=0),
    "_FusedMatMul": _fused_product,
    "Cast": lambda node, a: a.to(_TYPES[node.get("DstT")]),
    "Reshape": lambda _, a, shape: a.reshape(shape.tolist()),
    "ExpandDims": lambda _, a, axis: a.unsqueeze(int(axis)),
    "Squeeze": lambda node, a: a.squeeze(tuple(node.get("squeeze_dims", range(a.ndim)))),
    "Transpose": lambda _, a, order: a.permute(order.tolist()),
    "Pack": lambda node, *parts: torch.stack(parts, node.get("axis")),
    "Unpack": lambda node, a: a.unbind(node.get("axis")),
    "ConcatV2": lambda _, *parts: torch.cat(parts[:-1], int(parts[-1])),
    "SplitV": lambda _, a, sizes, axis: a.split(sizes.tolist(), int(axis)),
    "ArgMax": lambda _, a, axis: a.argmax(int(axis)).int(),
    "GatherNd": lambda _, a, places: a[tuple(places.long().unbind(-1))],
    "Sum": _reduce(torch.sum), "Max": _reduce(torch.amax), "Mean": _reduce(torch.mean),
    "TopKV2": _top, "MaxPool": _max_pool, "ResizeBilinear": _resize,
    "Pad": _pad, "PadV2": _pad,
    "StridedSlice": _strided_slice, "SparseToDense": _sparse_to_dense,
}  # fmt: skip
