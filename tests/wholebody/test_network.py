"""The networks against the authors' numbers, and against what is said of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from eval.golden_keypoints import (
    DEAD,
    NAMES,
    checkpoint_of,
    formula_images,
    formula_network,
    published_names,
)
from unipose.errors import ConfigError, WeightsError
from unipose.wholebody.config import WholeBodyConfig, published
from unipose.wholebody.losses import SHARPNESS, classification_loss, intervention_losses
from unipose.wholebody.network import WholeBodyNetwork
from unipose.wholebody.simcc import simcc_targets

GOLDEN = Path(__file__).parents[3] / "shared" / "facts" / "cigpose_golden.json"
TINY = WholeBodyConfig(
    keypoints="coco-17", width_px=32, height_px=64, deepen=0.1, widen=0.125, embedding=16, query=8,
    kernel=3, graph_layers=1, intervention="largest", train_replaced=3,
)  # fmt: skip


@pytest.fixture(scope="session")
def golden():
    if not GOLDEN.is_file():
        pytest.skip("the file of the authors' numbers is not beside the project")
    return json.loads(GOLDEN.read_text())


def meta_network(name: str) -> WholeBodyNetwork:
    with torch.device("meta"):
        return WholeBodyNetwork(published(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_network_says_what_the_authors_code_says(golden, name):
    truth, config = golden["models"][name], published(NAMES[name])
    network = formula_network(NAMES[name])
    with torch.no_grad():
        maps = network.backbone(formula_images(2, config.height_px, config.width_px))
        said = network.head(maps)
    assert list(maps.shape) == truth["feat_shape"]
    close = pytest.approx
    assert [float(maps.sum()), float(maps.square().sum())] == close(
        [truth["feat_sum"], truth["feat_sumsq"]], rel=1e-6
    )
    for logits, axis in ((said.x, "x"), (said.y, "y")):
        assert float(logits.sum()) == close(truth[f"{axis}_sum"], rel=1e-4)
        assert float(logits.square().sum()) == close(truth[f"{axis}_sumsq"], rel=1e-6)
    assert said.x[0, 0, :8].tolist() == close(truth["x_b0k0_first8"], rel=1e-4)
    assert said.y[1, -1, :8].tolist() == close(truth["y_b1klast_first8"], rel=1e-4)
    assert said.x[0].argmax(-1).tolist() == truth["x_argmax_b0"]
    assert said.y[1].argmax(-1).tolist() == truth["y_argmax_b1"]
    if not config.causal:
        return
    with torch.no_grad():
        assert float(network.head.encode(maps).sum()) == close(truth["gau_sum"], rel=1e-6)
    assert said.scores[0, :8].tolist() == close(truth["score_b0_first8"], rel=1e-9)
    assert said.replaced.nonzero()[:, 1].tolist() == truth["eval_intervened"]
    network.head.train()
    with torch.no_grad():
        said = network.head(maps)
        columns = [row.nonzero()[:, 0].tolist() for row in said.replaced]
        assert columns == truth["train_topk"]
        x, y, weight = targets_of_the_recipe(config)
        losses = intervention_losses(said, (x, y), weight)
    assert float(losses["keypoints"]) == close(truth["train_loss"]["loss_kpt"], rel=1e-6)
    assert 0.1 * float(losses["consistency"]) == close(truth["train_loss"]["loss_cf"], rel=1e-6)


def targets_of_the_recipe(config):
    """Return the targets that the golden training losses are of."""
    keypoint = torch.arange(len(config.keypoint_set), dtype=torch.float64)
    person = torch.arange(2, dtype=torch.float64)[:, None]
    x = config.width_px * (0.5 + 0.45 * torch.sin(1.7 * keypoint + person))
    y = config.height_px * (0.5 + 0.45 * torch.cos(0.9 * keypoint + 2 * person))
    visible = ((7 * keypoint + person) % 5 != 0).float()
    found = simcc_targets(torch.stack([x, y], -1).float(), visible, config.size)
    return [part.double() for part in found]


def test_the_classification_loss_is_mmposes(golden):
    i = torch.arange(2 * 3 * 384, dtype=torch.float64).view(2, 3, 384)
    k = torch.arange(2 * 3 * 512, dtype=torch.float64).view(2, 3, 512)
    targets = [
        torch.exp(-(torch.arange(n) - middle).square() / (2 * sigma**2)).expand(2, 3, -1).double()
        for n, middle, sigma in ((384, 100, 4.9), (512, 200, 5.66))
    ]
    weight = torch.tensor([[1.0, 0, 1], [1, 1, 1]])
    said = torch.sin(0.05 * i), torch.cos(0.03 * k)
    loss = classification_loss(said, (targets[0], targets[1]), weight)
    assert float(loss) == pytest.approx(golden["kl"]["value"], rel=1e-6)
    assert SHARPNESS == 10


def test_targets_are_gaussians_around_the_nearest_bin(golden):
    points = torch.tensor([golden["simcc"]["kp"]])
    x, y, weight = simcc_targets(points, torch.ones(1, 4), (192, 256))
    assert weight.tolist() == golden["simcc"]["weights"]
    assert x[0, 0, 15:26].tolist() == pytest.approx(golden["simcc"]["x0_bins15_25"], rel=1e-6)
    assert float(y[0, 0].sum()) == pytest.approx(golden["simcc"]["y0_sum"], rel=1e-6)
    assert float(x[0, 1].max()) == pytest.approx(golden["simcc"]["x1_max"], rel=1e-5)
    seen = [0, 1, 3]  # of a target of zeros everywhere any bin is the largest
    assert x.argmax(-1)[0, seen].tolist() == [golden["simcc"]["argx"][0][i] for i in seen]
    assert y.argmax(-1)[0, seen].tolist() == [golden["simcc"]["argy"][0][i] for i in seen]


PARAMETERS = {  # millions, without layers that are never used
    "rtmpose-m-coco-256x192": 13.588, "rtmpose-m-wholebody-256x192": 17.953,
    "rtmpose-l-wholebody-384x288": 33.611, "rtmpose-x-wholebody-384x288": 56.710,
    "cigpose-m-coco-256x192": 14.063, "cigpose-m-crowdpose-256x192": 14.123,
    "cigpose-m-wholebody-256x192": 18.458, "cigpose-l-wholebody-384x288": 36.975,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", PARAMETERS)
def test_networks_have_as_many_weights_as_published(name):
    count = sum(weight.numel() for weight in meta_network(name).parameters())
    assert count / 1e6 == pytest.approx(PARAMETERS[name], abs=0.001)


GFLOPS = {  # multiplications and additions as one, as the field counts; Table 1 of the paper
    "rtmpose-m-wholebody-256x192": 2.2, "rtmpose-l-wholebody-256x192": 4.5,
    "rtmpose-l-wholebody-384x288": 10.1, "rtmpose-x-wholebody-384x288": 18.1,
    "cigpose-m-wholebody-256x192": 2.3, "cigpose-l-wholebody-256x192": 4.6,
    "cigpose-l-wholebody-384x288": 10.7, "cigpose-x-wholebody-384x288": 18.7,
}  # fmt: skip


def gflops_of(name: str) -> float:
    network = meta_network(name).eval()
    width, height = network.config.size
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        network(torch.zeros(1, 3, height, width, device="meta"))
    return counter.get_total_flops() / 2e9


@pytest.mark.slow
@pytest.mark.parametrize("name", GFLOPS)
def test_networks_cost_as_much_as_published(name):
    assert gflops_of(name) == pytest.approx(GFLOPS[name], rel=0.02)


def test_layers_are_called_as_in_published_files():
    rtmpose = meta_network("rtmpose-m-coco-256x192").state_dict()
    assert len(rtmpose) == 362
    weights = checkpoint_names(meta_network("cigpose-m-wholebody-256x192"))
    assert len(weights) == 406
    assert weights["head.gcn.attention_modules.0.edge_conv_groups.conv.0.weight"] == (64, 128, 1, 1)
    assert weights["head.cls_gx.bias"] == (384,)
    assert weights["backbone.stage4.2.blocks.1.conv2.depthwise_conv.conv.weight"] == (384, 1, 5, 5)


def checkpoint_names(network: WholeBodyNetwork) -> dict[str, tuple[int, ...]]:
    own = network.state_dict()
    names = published_names(own, causal=True)
    found = {theirs: tuple(own[ours].shape) for ours, theirs in names.items()}
    return found | {f"head.{name}": tuple(own[f"head.{name}"].shape) for name in DEAD}


def test_only_the_largest_scores_are_replaced_and_others_by_a_threshold():
    network = WholeBodyNetwork(TINY).head
    scores = torch.tensor([[0.1, 0.9, 0.3, 0.8, *[0.0] * 13]])
    assert network.train().chosen(scores)[0, :5].tolist() == [False, True, True, True, False]
    assert network.eval().chosen(scores)[0, :5].tolist() == [False, True, False, False, False]
    from dataclasses import replace

    network.config = replace(TINY, intervention="threshold", threshold=0.25)
    assert network.chosen(scores)[0, :5].tolist() == [False, True, True, True, False]
    network.config = replace(TINY, test_replaced=0)
    assert not network.chosen(scores).any()


def test_only_canonical_embeddings_of_replaced_keypoints_learn():
    torch.manual_seed(0)
    network = WholeBodyNetwork(TINY).train()
    said = network(torch.randn(2, 3, 64, 32))
    said.x.square().sum().backward()
    moved = network.head.cim.canonical_features.weight.grad.abs().sum(1) > 0
    assert moved.tolist() == said.replaced.any(0).tolist()
    assert network.head.initial_pred_x.weight.grad is None, "scores hang on no loss of the answer"


def test_the_dense_graph_is_the_walk_along_edges():
    from unipose.wholebody.graph_network import EdgeConv

    torch.manual_seed(1)
    layer = EdgeConv(4, [(0, 1), (1, 0), (1, 2), (2, 1)], 3).eval()
    nodes = torch.randn(2, 3, 4)
    walked = torch.zeros(2, 3, 4)
    for start, end in ((0, 1), (1, 0), (1, 2), (2, 1)):
        both = torch.cat([nodes[:, end], nodes[:, start] - nodes[:, end]], dim=1)
        message = torch.nn.functional.linear(both, layer.conv[0].weight.flatten(1))
        walked[:, end] += torch.nn.functional.silu(layer.conv[1](message[:, None])[:, 0])
    assert torch.allclose(layer(nodes), walked, atol=1e-6)


def test_a_network_comes_back_from_its_folder(tmp_path):
    network = WholeBodyNetwork(TINY).eval()
    network.save_pretrained(tmp_path, dtype=torch.float32)
    images = torch.randn(1, 3, 64, 32)
    again = WholeBodyNetwork.from_pretrained(tmp_path)
    with torch.inference_mode():
        assert torch.equal(network(images).x, again(images).x)
    (tmp_path / "config.json").write_text('{"keypoints": "coco-17", "colour": 3}')
    with pytest.raises(WeightsError, match="is no configuration"):
        WholeBodyNetwork.from_pretrained(tmp_path)


def test_names_of_networks_and_contradictions_are_refused():
    assert published("cigpose-x-wholebody-384x288").embedding == 512
    assert published("cigpose-l-crowdpose-256x192").graph_layers == 2
    for name in ("hrnet-m-coco-256x192", "rtmpose-xl-coco-256x192", "rtmpose-m"):
        with pytest.raises(ConfigError, match="no published network"):
            published(name)
    with pytest.raises(ConfigError, match="no keypoint graph of halpe-26"):
        WholeBodyConfig(keypoints="halpe-26", graph_layers=1)
    with pytest.raises(ConfigError, match="odd kernel"):
        WholeBodyConfig(kernel=4)


def test_weights_of_another_network_are_named(tmp_path):
    small = WholeBodyNetwork(TINY)
    torch.save({"meta": {}, "state_dict": checkpoint_of(small, causal=True)}, tmp_path / "a.pth")
    small.load_published(tmp_path / "a.pth")
    other = meta_network("rtmpose-m-coco-256x192")
    with pytest.raises(WeightsError, match="the weights are not those of this model"):
        other.load_published(tmp_path / "a.pth")
