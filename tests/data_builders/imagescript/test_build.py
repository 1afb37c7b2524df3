"""The whole build, on tiny sources in their real layouts."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import datasets
import numpy as np
import pytest

from data_builders.engine import Place, StageError
from data_builders.imagescript.build import build
from data_builders.imagescript.config import BuildConfig
from data_builders.studio.config import StudioConfig
from tests.fakes.motion_datasets import write_amass
from tests.fakes.picture_datasets import (
    write_3dpw,
    write_bomb,
    write_human36m,
    write_jpeg,
    write_mpi_inf_3dhp,
)
from unipose.errors import ConfigError
from unipose.posecodes.phrases import NOTHING_CHANGES
from unipose.posecodes.reader import read_statements

STUDIO = StudioConfig(height_px=64, width_px=72, mixed=0.8, people=(0.3, 0.7))


def studio_config(folder: Path, out: Path, **changed: object) -> BuildConfig:
    """Return a build of a few small pictures of the studio, with an AMASS of two recordings."""
    amass = folder / "AMASS"
    if not amass.is_dir():
        write_amass(amass, wild=0.5)
        write_amass(amass, "SSM/01/01_01_poses.npz", wild=0.5)
    settings = {
        "source": (f"studio={amass}?poses=amass",),
        "counts": ("studio.train=8", "studio.test=4"),
        "studio": STUDIO,
        "chunk": 3,
        "rows_per_file": 5,
        "refined": 0.5,
        "gallery": 4,
        "place": Place(workers=1),
    }
    return BuildConfig(out=out, **{**settings, **changed})


def loaded(out: Path, name: str, split: str) -> datasets.Dataset:
    return datasets.load_dataset(str(out), name, split=split)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("studio")
    build(studio_config(folder, folder / "out"))
    return folder / "out"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)


def test_a_build_has_the_rows_that_were_asked_for(built):
    assert len(loaded(built, "imagescript-a", "train")) == 8
    assert len(loaded(built, "imagescript-a", "test")) == 4
    assert len(loaded(built, "imagescript-r", "train")) == 4
    assert len(loaded(built, "imagescript-r", "test")) == 4


def test_each_row_has_a_picture_a_pose_and_three_true_captions(built):
    row = loaded(built, "imagescript-a", "train")[0]
    assert row["image"].size[0] <= 72
    assert np.array(row["person"]["pose"]).shape == (24, 3)
    assert len(row["captions"]) == 3
    assert len(set(row["captions"])) == 3
    assert all(read_statements(caption) for caption in row["captions"])


def test_the_documentation_s_lines_load_what_was_built(built, tmp_path, monkeypatch):
    page = (Path(__file__).parents[3] / "docs" / "data_sets.md").read_text(encoding="utf-8")
    (program,) = [
        text
        for text in re.findall(r"```python\n(.*?)```", page, re.DOTALL)
        if "load_dataset" in text
    ]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "script").symlink_to(built)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "example.py").write_text(program, encoding="utf-8")
    assert len(runpy.run_path("example.py")["rows"]) == 8


def test_pairs_have_two_pictures_and_three_instructions(built):
    row = loaded(built, "imagediff-a", "train")[0]
    assert row["person_a"]["key"] != row["person_b"]["key"]
    assert len(row["texts"]) == 3
    assert row["differences"] >= 10
    assert row["image_a"].size != (0, 0)
    assert row["image_b"].size != (0, 0)


def test_each_pair_has_something_to_say(built):
    rows = [row for split in ("train", "test") for row in loaded(built, "imagediff-a", split)]
    assert not [row["key"] for row in rows if row["texts"][0] in NOTHING_CHANGES]


def test_the_reasoning_set_says_who_is_meant_among_several_people(built):
    rows = [row for split in ("train", "test") for row in loaded(built, "reasoning", split)]
    assert rows
    assert all(row["people"] > 1 and row["who"] for row in rows)


def test_refined_rows_are_some_of_the_others_and_say_who_wrote_them(built):
    every = set(loaded(built, "imagescript-a", "train")["key"])
    refined = loaded(built, "imagescript-r", "train")
    assert set(refined["key"]) <= every
    assert set(refined["by"]) <= {"rules", "draft"}
    assert all(len(texts) == 1 and len(texts[0].split()) < 45 for texts in refined["captions"])


def test_splits_share_no_picture(built):
    keys = [set(loaded(built, "imagescript-a", split)["key"]) for split in ("train", "test")]
    assert not keys[0] & keys[1]


@pytest.mark.slow
def test_the_same_build_twice_is_the_same_bytes_whatever_the_size_of_a_task(built, tmp_path):
    again = tmp_path / "again"
    build(studio_config(built.parent, again, chunk=5))
    files = sorted(path.relative_to(built) for path in built.glob("image*/*.parquet"))
    assert files
    for file in files:
        assert (again / file).read_bytes() == (built / file).read_bytes()


def test_a_finished_build_is_left_alone(built):
    before = {path: path.stat().st_mtime_ns for path in built.rglob("*.parquet")}
    assert "imagescript-a" in build(studio_config(built.parent, built))
    assert before == {path: path.stat().st_mtime_ns for path in built.rglob("*.parquet")}


def test_a_folder_with_other_settings_is_refused(built):
    with pytest.raises(ConfigError, match=r"other settings \(seed\)"):
        build(studio_config(built.parent, built, seed=3))


def test_photographs_are_built_with_what_their_source_knows(tmp_path):
    write_human36m(tmp_path / "h")
    sequence = write_mpi_inf_3dhp(tmp_path / "i", frames=2) / "S1" / "Seq1"
    write_jpeg(sequence / "imageFrames" / "video_0" / "frame_000001.jpg", (2048, 2048))
    out = tmp_path / "out"
    build(
        BuildConfig(
            out=out,
            source=(f"human36m={tmp_path / 'h'}", f"mpi_inf_3dhp={tmp_path / 'i'}?fps=0"),
            counts=("human36m.train=1", "mpi_inf_3dhp.train=1"),
            place=Place(workers=1),
            gallery=2,
        )
    )
    people = {row["source"]: row for row in loaded(out, "imagescript-a", "train")["person"]}
    assert people["human36m"]["focal_px"] is not None
    assert people["human36m"]["pose"] is not None
    assert people["mpi_inf_3dhp"]["pose"] is None  # only keypoints are known
    assert np.isfinite(people["mpi_inf_3dhp"]["joints"]).any()


def test_broken_pictures_are_left_out_with_their_reasons(tmp_path):
    turns = np.random.default_rng(0).normal(0, 0.4, (6, 72))
    turns[:, :3] = 0.0
    folder = write_3dpw(tmp_path / "w", split="test", frames=6, poses=[turns])
    pictures = sorted(folder.rglob("*.jpg"))
    pictures[0].write_bytes(pictures[0].read_bytes()[:-200])
    write_bomb(pictures[1], side=20_000)
    pictures[2].write_bytes(b"")
    out = tmp_path / "out"
    told = build(
        BuildConfig(
            out=out,
            source=(f"3dpw={folder}?fps=0&pictures=unchecked",),
            counts=("3dpw.test=6",),
            place=Place(workers=1),
            gallery=1,
        )
    )
    assert len(loaded(out, "imagescript-a", "test")) == 2  # the last frame has no camera
    dropped = [json.loads(line) for line in (out / "dropped.jsonl").read_text().splitlines()]
    reasons = {row["key"]: row["reason"] for row in dropped}
    assert "is no whole picture" in reasons["3dpw/downtown_walking_00:0:0"]
    assert "decompression bomb" in reasons["3dpw/downtown_walking_00:1:0"]
    assert "is no whole picture" in reasons["3dpw/downtown_walking_00:2:0"]
    assert f"{len(dropped)} records were left out" in told


def test_a_source_without_a_usable_picture_is_a_named_error(tmp_path):
    write_amass(tmp_path)
    config = BuildConfig(
        out=tmp_path / "out",
        source=(f"amass={tmp_path}",),
        counts=("amass.train=3",),
        place=Place(workers=1),
    )
    with pytest.raises(StageError, match="no candidate"):
        build(config)
