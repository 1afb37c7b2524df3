"""Published weights: read without running anything, loaded only if every name and shape fits."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.fakes.checkpoints import (
    pickled,
    rewrite_pickle,
    save_hostile,
    save_lightning,
    save_mmengine,
)
from unipose.errors import MissingFileError, WeightsError
from unipose.files.checkpoints import load_strictly, part_of, read_checkpoint


def weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "backbone.a": torch.randn(3, 4, generator=generator),
        "backbone.b": torch.randn(6, 2, generator=generator).T,  # not contiguous
        "backbone.half": torch.randn(5, generator=generator).half(),
        "backbone.brain": torch.randn(5, generator=generator).bfloat16(),
        "backbone.count": torch.tensor(7),
        "backbone.nothing": torch.zeros(0, 3),
        "smpl_head.c": torch.randn(2, generator=generator),
    }


def equal(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def test_a_lightning_checkpoint_gives_its_weights_and_nothing_else(tmp_path: Path):
    save_lightning(tmp_path / "hmr2.ckpt", weights())
    assert equal(read_checkpoint(tmp_path / "hmr2.ckpt"), weights())


@pytest.mark.parametrize("archive", [False, True])
def test_checkpoints_of_mmengine_give_their_weights(archive: bool, tmp_path: Path):
    path = tmp_path / "rtmpose.pth"
    save_mmengine(path, weights(), archive=archive)
    assert equal(read_checkpoint(path), weights())
    assert set(read_checkpoint(path, ("smpl_head.",))) == {"smpl_head.c"}


def test_an_old_file_that_is_cut_or_lies_about_its_storages_is_named(tmp_path: Path):
    path = tmp_path / "old.pth"
    save_mmengine(path, {"a": torch.arange(12.0)}, archive=False)
    whole = path.read_bytes()
    for broken in (whole[:-8], whole[:200], b"", b"not a checkpoint", whole[:-56] + whole[-48:]):
        path.write_bytes(broken)
        with pytest.raises(WeightsError, match="nothing in it was executed"):
            read_checkpoint(path)


def test_views_into_one_storage_are_told_apart(tmp_path: Path):
    whole = torch.arange(12.0)
    torch.save({"one": whole[:4], "other": whole[4:].view(2, 4)}, tmp_path / "views.pt")
    assert equal(
        read_checkpoint(tmp_path / "views.pt"), {"one": whole[:4], "other": whole[4:].view(2, 4)}
    )


def test_only_what_is_asked_for_is_read(tmp_path: Path):
    save_lightning(tmp_path / "hmr2.ckpt", weights())
    found = part_of(read_checkpoint(tmp_path / "hmr2.ckpt", ("smpl_head.",)), "smpl_head.")
    assert equal(found, {"c": weights()["smpl_head.c"]})
    with pytest.raises(WeightsError, match="no weights whose names start with 'clip"):
        read_checkpoint(tmp_path / "hmr2.ckpt", ("clip.",))


@pytest.mark.parametrize("kind", ["old.pth", "new.bin", "flat.safetensors"])
def test_every_usual_format_is_read(kind: str, tmp_path: Path):
    path = tmp_path / kind
    state = {name: value.contiguous() for name, value in weights().items()}
    if kind.endswith("safetensors"):
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "new.bin")
    assert equal(read_checkpoint(path), state)


def test_parameters_are_weights_too(tmp_path: Path):
    layer = nn.Linear(3, 2)
    torch.save({"weight": layer.weight, "bias": layer.bias}, tmp_path / "parameters.pt")
    assert equal(read_checkpoint(tmp_path / "parameters.pt"), dict(layer.state_dict()))


@pytest.mark.parametrize("archive", [True, False])
def test_a_hostile_pickle_is_refused_and_runs_nothing(archive: bool, tmp_path: Path):
    canary = tmp_path / "canary"
    save_hostile(tmp_path / "hostile.ckpt", canary, archive=archive)
    with pytest.raises(WeightsError, match=r"exec[^:]*.*nothing in it was executed"):
        read_checkpoint(tmp_path / "hostile.ckpt")
    assert not canary.exists()


def test_the_hostile_pickle_would_have_run(tmp_path: Path):
    canary = tmp_path / "canary"
    save_hostile(tmp_path / "hostile.ckpt", canary, archive=True)
    torch.load(tmp_path / "hostile.ckpt", weights_only=False)
    assert canary.exists()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.", "posix.system"),
        (b"\x80\x02ctorch.serialization\nload\nX\x02\x00\x00\x00ls\x85R.", "torch.serialization"),
        (b"\x80\x02}r\xff\xff\xff\x7f.", "not a pickle that a program wrote"),
        (b"\x80\x02}", "cut short"),
        (b"\x80\x02X\x01\x00\x00\x00aQ.", "outside the file"),
        (pickled([1, 2]), "no weights"),
        (pickled({"state_dict": {"a": 1}}), "no weights"),
    ],
)
def test_a_pickle_that_is_no_description_of_tensors_is_named(
    data: bytes, problem: str, tmp_path: Path
):
    path = tmp_path / "broken.ckpt"
    torch.save(weights(), path)
    rewrite_pickle(path, data)
    with pytest.raises(WeightsError, match=problem):
        read_checkpoint(path)


def test_a_pickle_cannot_change_the_reader(tmp_path: Path):
    path = tmp_path / "changing.ckpt"
    torch.save(weights(), path)
    # sets attributes of what it names, then uses it: the next file is read as before
    names = b"ccollections\nOrderedDict\n", b"ctorch._utils\n_rebuild_tensor_v2\n"
    for name in names:
        state = b"N}X\x05\x00\x00\x00itemsN" + b"s\x86b"
        rewrite_pickle(path, b"\x80\x02" + name + state + b".")
        with pytest.raises(WeightsError):
            read_checkpoint(path)
    save_lightning(path, weights())
    assert equal(read_checkpoint(path), weights())


def test_a_compressed_archive_is_refused_before_it_unpacks(tmp_path: Path):
    path = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10_000_000))
    with pytest.raises(WeightsError, match="compressed"):
        read_checkpoint(path)


def rebuilt(*, offset: int, size: tuple, stride: tuple) -> bytes:
    """A pickle of one tensor in a storage of 12 floats."""

    def number(n: int) -> bytes:
        return b"J" + n.to_bytes(4, "little", signed=True)

    def numbers(ns: tuple) -> bytes:
        return b"(" + b"".join(number(n) for n in ns) + b"t"

    def word(text: str) -> bytes:
        return b"X" + len(text).to_bytes(4, "little") + text.encode()

    storage = b"(" + word("storage") + b"ctorch\nFloatStorage\n" + word("0") + word("cpu")
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n((" + storage[1:] + number(12) + b"tQ"
    tensor += number(offset) + numbers(size) + numbers(stride) + b"\x89N" + b"tR"
    return b"\x80\x02}" + word("a") + tensor + b"s."


def test_a_tensor_that_reaches_beyond_its_storage_is_refused(tmp_path: Path):
    path = tmp_path / "reaching.ckpt"
    torch.save({"a": torch.arange(12.0)}, path)
    rewrite_pickle(path, rebuilt(offset=2, size=(2, 5), stride=(5, 1)))
    assert torch.equal(read_checkpoint(path)["a"], torch.arange(2.0, 12).view(2, 5))
    for offset, size, stride in (
        (3, (2, 5), (5, 1)), (-1, (2, 5), (5, 1)), (0, (3,), (6,)), (0, (10**6, 10**6), (0, 0)),
        (0, (2, -5), (5, 1)), (0, (2,), (1, 1)),
    ):  # fmt: skip
        rewrite_pickle(path, rebuilt(offset=offset, size=size, stride=stride))
        with pytest.raises(WeightsError, match="tensor"):
            read_checkpoint(path)


def test_a_damaged_or_missing_file_is_named(tmp_path: Path):
    with pytest.raises(MissingFileError, match="none"):
        read_checkpoint(tmp_path / "none.ckpt")
    path = tmp_path / "cut.ckpt"
    torch.save(weights(), path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(WeightsError, match="cut"):
        read_checkpoint(path)
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\x00")
    with pytest.raises(WeightsError, match="safetensors"):
        read_checkpoint(tmp_path / "cut.safetensors")


def test_strict_loading_names_what_is_missing_and_what_is_too_much():
    layer = nn.Linear(3, 2)
    good = {"weight": torch.ones(2, 3), "bias": torch.ones(2)}
    load_strictly(layer, good, Path("x"))
    assert torch.equal(layer.weight, torch.ones(2, 3))
    with pytest.raises(WeightsError, match=r"missing 1: bias; unexpected 1: scale"):
        load_strictly(layer, {"weight": good["weight"], "scale": good["bias"]}, Path("x"))
    with pytest.raises(WeightsError, match=r"bias has the shape \(3,\), expected \(2,\)"):
        load_strictly(layer, good | {"bias": torch.ones(3)}, Path("x"))


def test_a_module_on_the_meta_device_takes_the_tensors_themselves():
    with torch.device("meta"):
        layer = nn.Linear(3, 2)
    load_strictly(layer, {"weight": torch.ones(2, 3), "bias": torch.ones(2)}, Path("x"))
    assert torch.equal(layer(torch.ones(1, 3)), torch.full((1, 2), 4.0))
