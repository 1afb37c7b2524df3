"""Any real base: each family computes as itself, its new rows are words, and it trains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from tests.fakes.base_models import FAMILIES, LLAVAS, write_base, write_llava
from tests.fakes.tiny_model import TINY_CODEC
from tests.train.test_programs import final_weights, same, stop_after
from tokenizer.codec import PoseTokenizer
from train import align
from train.align import PRESETS, build_model
from unipose.assistant import UniPose
from unipose.body.body import load_body
from unipose.errors import ConfigError, WeightsError
from unipose.language import model as model_module
from unipose.language.base_model import base_folder
from unipose.language.decoding import Decoding
from unipose.language.model import PoseLanguageModel
from unipose.language.vocabulary import Vocabulary
from unipose.vision.projector import ProjectorConfig, VisualProjector

TEXT = "the left knee is bent at a right angle, both hands are above the head."


def build(folder: Path, **changed: object) -> tuple[PoseLanguageModel, Vocabulary]:
    """Build a pose language model over the base in a folder."""
    config = replace(PRESETS["paper"], llm=str(folder), lora_rank=4, **changed)
    codec = PoseTokenizer(TINY_CODEC).eval()
    return build_model(config, codec, load_body().rest_joints, None)


@torch.no_grad()
def plain_logits(model: PoseLanguageModel, ids: torch.Tensor) -> torch.Tensor:
    """Return the logits of a plain text, computed as the pose language model computes them."""
    places = torch.arange(len(ids))
    seen = (places[None, :] <= places[:, None])[None, None]
    hidden = model.run(model.llm.get_input_embeddings()(ids[None]), seen, places[None])
    return model.text_logits(hidden[0])


def assert_text_is_read_as_the_base_reads_it(
    base: torch.nn.Module, model: PoseLanguageModel, vocabulary: Vocabulary
) -> None:
    ids = torch.tensor(vocabulary.encode(TEXT))
    known = vocabulary.first_code - vocabulary.markers
    with torch.no_grad():
        own = base(input_ids=ids[None]).logits[0, :, :known]
    ours = plain_logits(model.eval(), ids)[:, :known]
    assert own.std() > 0.1
    torch.testing.assert_close(ours, own, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_plain_text_gets_the_logits_that_the_base_itself_gives(family: str, tmp_path: Path):
    base = write_base(tmp_path, family)
    assert_text_is_read_as_the_base_reads_it(base, *build(tmp_path))


@pytest.mark.parametrize("kind", LLAVAS)
def test_the_language_model_of_a_llava_is_taken_out_of_either_layout(kind: str, tmp_path: Path):
    base = write_llava(tmp_path, kind)
    assert_text_is_read_as_the_base_reads_it(base, *build(tmp_path))


@pytest.mark.parametrize("kind", LLAVAS)
def test_the_projector_of_a_llava_is_taken_over_where_it_is_asked_for(kind: str, tmp_path: Path):
    write_llava(tmp_path, kind)
    written = load_file(tmp_path / "model.safetensors")
    (name,) = (n for n in written if n.endswith(("mm_projector.2.weight", "linear_2.weight")))
    projector = VisualProjector(ProjectorConfig(clip=8, pose=12, width=32))
    first = projector.layers[0].weight.clone()
    projector.start_from_llava(tmp_path)
    assert torch.equal(projector.layers[2].weight, written[name])
    assert torch.equal(projector.layers[0].weight, first)


@pytest.mark.parametrize("family", ["llama", "qwen2"], ids=["untied", "tied"])
def test_new_rows_are_like_rows_of_text_and_differ_from_one_another(family: str, tmp_path: Path):
    write_base(tmp_path, family)
    model, vocabulary = build(tmp_path)
    known = vocabulary.first_code - vocabulary.markers
    embedding = model.llm.get_input_embeddings().weight
    head = model.llm.get_output_embeddings().weight
    assert (head is embedding) == (family == "qwen2")
    for table in {embedding, head}:
        text, new = table[:known], table[known:]
        torch.testing.assert_close(new.mean(0), text.mean(0), rtol=0, atol=0.1)
        torch.testing.assert_close(new.std(0), text.std(0), rtol=0.2, atol=0)
        assert torch.pdist(new).min() > 0.5 * torch.pdist(text).min()
    again, _ = build(tmp_path)
    assert torch.equal(again.llm.get_input_embeddings().weight, embedding)
    other, _ = build(tmp_path, seed=1)
    assert not torch.equal(other.llm.get_input_embeddings().weight, embedding)


def test_a_base_is_read_into_place_and_no_random_copy_is_built_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    base = write_base(tmp_path, "llama")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a language model of random weights was built")

    monkeypatch.setattr(model_module.AutoModelForCausalLM, "from_config", refuse)
    model, _ = build(tmp_path)
    own = base.model.layers[1].mlp.down_proj.weight
    assert torch.equal(model.llm.model.layers[1].mlp.down_proj.base_layer.weight, own)


def test_a_base_whose_logits_are_made_in_an_unknown_way_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write_base(tmp_path, "granite")
    monkeypatch.setattr(model_module, "own_logits", lambda _, logits: logits)
    with pytest.raises(ConfigError, match=r"'granite' are off by .* it can be no base"):
        build(tmp_path)


def test_a_folder_without_a_language_model_is_named(tmp_path: Path):
    (tmp_path / "config.json").write_text('{"model_type": "llava"}')
    with pytest.raises(WeightsError, match=r"no text tokenizer|no causal language model"):
        build(tmp_path)


@pytest.fixture
def mixed_precision(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Set accelerate's mixed precision, which lasts as long as its state."""
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", request.param)
    AcceleratorState._reset_state(reset_partial_state=True)
    yield request.param
    AcceleratorState._reset_state(reset_partial_state=True)


def debug_run(folder: Path, **changed: object) -> align.AlignConfig:
    """Return the debug preset over a base in bfloat16, of which the published parts learn."""
    return replace(
        PRESETS["debug"], llm=str(folder), dtype="bfloat16", lora_rank=2, steps=2, save_every=1,
        batch=4, threads=1, **changed,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("mixed_precision", ["no", "bf16"], indirect=True)
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_base_in_bfloat16_trains_and_resumes(family: str, mixed_precision: str, tmp_path: Path):
    write_base(tmp_path / "llm", family, dtype=torch.bfloat16)
    config = debug_run(tmp_path / "llm")
    align.main(replace(config, out=tmp_path / "unbroken"))
    broken = replace(config, out=tmp_path / "broken")
    stop_after(align, broken, step=1)
    align.main(broken)
    assert same(tmp_path / "unbroken", tmp_path / "broken")
    learned = final_weights(tmp_path / "broken")
    assert all(
        value.dtype == torch.float32 and bool(value.isfinite().all())
        for name, value in learned.items()
        if name.startswith("model.")
    )
    loaded = UniPose.load(tmp_path / "broken" / "model", dtype="bfloat16")
    assert len(loaded.ask(["sitting"], Decoding(max_tokens=3)).ids) <= 3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_base_that_make_setup_brings_reads_text_as_itself_and_trains(tmp_path: Path):
    folder = base_folder()
    model, vocabulary = build(folder, dtype="float32")
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    assert_text_is_read_as_the_base_reads_it(base, model, vocabulary)
    table = model.llm.get_input_embeddings().weight.detach()
    known = vocabulary.first_code - vocabulary.markers
    assert table[known:].std() == pytest.approx(float(table[:known].std()), rel=0.02)
    assert torch.pdist(table[known : known + 200]).min() > 1.0
    align.main(debug_run(folder, out=tmp_path / "run", practice=0, claim_weight=0.0))
    assert final_weights(tmp_path / "run")["model.slots"].isfinite().all()
