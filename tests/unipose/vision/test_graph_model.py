"""Graphs of TensorFlow.js: small ones in the real layout, and the real networks' known answers."""

import json
from base64 import b64encode

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.fakes.photo_networks import fetched
from unipose.errors import WeightsError
from unipose.vision.graph_model import GraphModel

INPUT = {"name": "x", "op": "Placeholder"}


def ints(*values):
    return {"list": {"i": [str(value) for value in values]}}


def word(value):
    return {"s": b64encode(value.encode()).decode()}


def write_graph(folder, nodes, weights, *, half=False):
    """Write nodes and named arrays as `tensorflowjs_converter` lays them out."""
    entries, data = [], b""
    for name, value in weights.items():
        entry = {"name": name, "shape": list(value.shape), "dtype": str(value.dtype)}
        stored = value
        if half and value.dtype == np.float32:
            stored = value.astype(np.float16)
            entry["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
        entries.append(entry)
        data += stored.tobytes()
    constants = [{"name": name, "op": "Const"} for name in weights]
    content = {
        "format": "graph-model",
        "modelTopology": {"node": [*nodes, INPUT, *constants]},
        "weightsManifest": [{"paths": ["net.bin"], "weights": entries}],
    }
    (folder / "net.json").write_text(json.dumps(content))
    (folder / "net.bin").write_bytes(data)
    return folder / "net.json"


def run(folder, node, weights, image, **kwargs):
    return GraphModel(write_graph(folder, [node], weights, **kwargs))(image, node["name"])[0]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("side", [6, 7])
def test_a_strided_convolution_pads_as_tensorflow_does(tmp_path, rng, side):
    kernel = rng.normal(size=(3, 3, 2, 4)).astype(np.float32)
    bias = rng.normal(size=4).astype(np.float32)
    node = {
        "name": "y", "op": "_FusedConv2D", "input": ["x", "k", "b"],
        "attr": {"strides": ints(1, 2, 2, 1), "padding": word("SAME"),
                 "fused_ops": {"list": {"s": [b64encode(name).decode() for name in
                                              (b"BiasAdd", b"Relu6")]}}},
    }  # fmt: skip
    image = torch.from_numpy(rng.normal(size=(1, side, side, 2)).astype(np.float32))
    found = run(tmp_path, node, {"k": kernel, "b": bias}, image)
    # an even side lacks one pixel, which TensorFlow adds after; an odd side gets one at each end
    ends = (0, 1, 0, 1) if side == 6 else (1, 1, 1, 1)
    padded = functional.pad(image.permute(0, 3, 1, 2), ends)
    expected = functional.conv2d(
        padded, torch.from_numpy(kernel).permute(3, 2, 0, 1), torch.from_numpy(bias), stride=2
    ).clamp(0, 6)
    torch.testing.assert_close(found.permute(0, 3, 1, 2), expected)


def test_a_depthwise_convolution_keeps_channels_apart(tmp_path, rng):
    kernel = rng.normal(size=(3, 3, 2, 1)).astype(np.float32)
    node = {"name": "y", "op": "DepthwiseConv2dNative", "input": ["x", "k"],
            "attr": {"strides": ints(1, 1, 1, 1), "padding": word("VALID")}}  # fmt: skip
    image = torch.zeros(1, 3, 3, 2)
    image[..., 1] = 1
    found = run(tmp_path, node, {"k": kernel}, image)
    assert found.flatten().tolist() == pytest.approx([0, kernel[..., 1, 0].sum()], abs=1e-6)


@pytest.mark.parametrize(
    ("half_pixels", "expected"), [(False, [0, 0.5, 1, 1]), (True, [0, 0.25, 0.75, 1])]
)
def test_pictures_are_resized_as_tensorflow_does(tmp_path, half_pixels, expected):
    node = {"name": "y", "op": "ResizeBilinear", "input": ["x", "size"],
            "attr": {"half_pixel_centers": {"b": half_pixels}}}  # fmt: skip
    image = torch.tensor([0.0, 1.0]).reshape(1, 1, 2, 1)
    found = run(tmp_path, node, {"size": np.array([1, 4], dtype=np.int32)}, image)
    assert found.flatten().tolist() == expected


def test_slices_heed_all_masks(tmp_path):
    limits = {"b": [0, 1, 0], "e": [0, 3, 0], "s": [1, 1, 1]}
    node = {"name": "y", "op": "StridedSlice", "input": ["x", "b", "e", "s"],
            "attr": {"shrink_axis_mask": {"i": "1"}, "new_axis_mask": {"i": "4"}}}  # fmt: skip
    weights = {name: np.array(value, dtype=np.int32) for name, value in limits.items()}
    found = run(tmp_path, node, weights, torch.arange(8.0).reshape(2, 4))
    assert found.tolist() == [[1.0], [2.0]]


def test_half_weights_are_read_as_numbers(tmp_path):
    node = {"name": "y", "op": "AddV2", "input": ["x", "w"]}
    weights = {"w": np.array([0.5, -2.0], dtype=np.float32)}
    assert run(tmp_path, node, weights, torch.ones(2), half=True).tolist() == [1.5, -1.0]


def test_operations_run_after_what_they_need_whatever_their_order_in_the_file(tmp_path):
    nodes = [
        {"name": "z", "op": "Mul", "input": ["y", "y"]},
        {"name": "y", "op": "AddV2", "input": ["x", "one", "^one"]},
    ]
    graph = GraphModel(write_graph(tmp_path, nodes, {"one": np.ones(1, dtype=np.float32)}))
    assert graph(torch.tensor([2.0]), "z")[0].tolist() == [9.0]


def test_an_unknown_operation_is_named(tmp_path):
    path = write_graph(tmp_path, [{"name": "y", "op": "NonMaxSuppressionV5", "input": ["x"]}], {})
    with pytest.raises(WeightsError, match="NonMaxSuppressionV5"):
        GraphModel(path)


@pytest.mark.parametrize("damage", ["text", "cut", "grown", "list"])
def test_damaged_files_are_refused(tmp_path, damage):
    path = write_graph(tmp_path, [], {"w": np.ones(4, dtype=np.float32)})
    weights = path.with_suffix(".bin")
    match damage:
        case "text":
            path.write_text("<html>not found</html>")
        case "list":
            path.write_text("[1, 2]")
        case "cut":
            weights.write_bytes(weights.read_bytes()[:-1])
        case "grown":
            weights.write_bytes(weights.read_bytes() + b"\0")
    with pytest.raises(WeightsError, match="no graph model"):
        GraphModel(path)


def wave(*shape):
    return np.sin(np.arange(np.prod(shape)) * 0.001).reshape(shape)


def test_movenet_answers_as_under_tensorflow_js():
    numbers = np.arange(256 * 256 * 3)
    image = np.floor(128 + 127 * np.sin(numbers * 0.001) * np.cos(numbers * 0.00007))
    image = torch.from_numpy(image.astype(np.int32).reshape(1, 256, 256, 3))
    found = GraphModel(fetched("movenet-thunder"))(image, "Identity")[0].flatten()
    expected = [0.034996, 0.591878, 0.023254, 0.099961, 0.447881, 0.01204]
    assert found[:6].tolist() == pytest.approx(expected, abs=2e-5)
    assert found[-3:].tolist() == pytest.approx([1.010731, 0.413603, 0.00423], abs=2e-5)


def test_nanodet_answers_as_under_tensorflow_js():
    image = torch.from_numpy(wave(1, 3, 416, 416).astype(np.float32))
    scores, edges = GraphModel(fetched("nanodet"))(image, "Identity_2", "Identity_5")
    assert edges.flatten()[:4].tolist() == pytest.approx(
        [0.157985, 0.642258, 0.529629, 0.39909], abs=2e-5
    )
    assert float(scores.sum()) == pytest.approx(148.694218, rel=1e-4)


def test_blazepose_answers_as_under_tensorflow_js():
    image = torch.from_numpy((0.5 + 0.5 * wave(1, 256, 256, 3)).astype(np.float32))
    rows, world = GraphModel(fetched("blazepose-full"))(image, "Identity_2", "Identity_4")
    expected = [142.37222, 67.28133, -140.02429, 3.18223, 1.18541]
    assert rows.flatten()[:5].tolist() == pytest.approx(expected, abs=0.02)
    assert world.flatten()[:3].tolist() == pytest.approx([0.016396, -0.496928, -0.27692], abs=1e-4)
