"""Asking for a source: by name and folder, and what is said when something is not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_builders.readers.registry import SOURCES, open_source, open_sources, parse_request
from data_builders.readers.source import Drops
from data_builders.records import RecordPair
from tests.data_builders.test_mocap import small_folder
from tests.fakes.coco_datasets import (
    coco_person,
    coco_whole_body_person,
    write_coco,
    write_crowdpose,
    write_mpii,
    write_ubody,
)
from tests.fakes.motion_datasets import (
    babel_label,
    write_amass,
    write_babel,
    write_moyo,
    write_posefix,
    write_posescript,
)
from tests.fakes.motion_files import bvh_text, write_bvh_text
from tests.fakes.picture_datasets import (
    write_3dpw,
    write_bedlam,
    write_egobody,
    write_h3wb,
    write_human36m,
    write_mpi_inf_3dhp,
)
from unipose.errors import (
    ConfigError,
    EmptySourceError,
    SourceError,
    UniPoseError,
    UnusableRecordError,
)


def test_a_request_names_source_folder_and_choice(tmp_path):
    request = parse_request(f"amass={tmp_path}?fps=2.5&only=CMU/*&split=val")
    assert (request.source.name, request.folder) == ("amass", tmp_path)
    choice = request.choice
    assert (choice.fps, choice.only, choice.split) == (2.5, "CMU/*", "val")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("amass", "NAME=FOLDER"),
        ("amas=/data", "no source is called 'amas'"),
        ("amass=/data?speed=3", "no option 'speed'; it takes split, only, fps"),
        ("amass=/data?fps=fast", "fps must be a number"),
        ("amass=/data?fps=-1", "fps must be 0 or more"),
        ("amass=/data?split=dev", "split must be one of"),
        ("amass=/data?fps", "option=value"),
        ("coco=/data?fps=3", "coco has no option 'fps'"),
    ],
)
def test_a_request_that_makes_no_sense_is_a_named_error(text, said):
    with pytest.raises(ConfigError, match=said):
        parse_request(text)


@pytest.mark.parametrize("name", SOURCES)
def test_a_missing_folder_says_what_is_expected_and_how_large(name, tmp_path):
    source = SOURCES[name]
    with pytest.raises(SourceError) as error:
        open_source(f"{name}={tmp_path / 'nowhere'}", Drops())
    message = str(error.value)
    assert all(part in message for part in ("nowhere", source.files[0].path, source.files[0].size))
    assert source.licence
    assert source.cite


@pytest.mark.parametrize("name", SOURCES)
def test_an_empty_folder_is_an_error_and_not_an_empty_data_set(name, tmp_path):
    with pytest.raises((SourceError, ConfigError)):
        list(open_source(f"{name}={tmp_path}", Drops()))


def test_every_source_is_on_the_page_that_documents_them():
    page = (Path(__file__).parents[3] / "docs" / "sources.md").read_text(encoding="utf-8")
    rows = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert rows == list(SOURCES)


def test_half_a_release_names_the_file_that_is_not_there(tmp_path):
    folder = write_posescript(tmp_path, {"1": ["AMASS", "CMU/01/01_01_poses.npz", 0]})
    (folder / "posescript_human_6293.json").unlink()
    with pytest.raises(SourceError, match=r"human.*is missing \(1.7 MB\)"):
        open_source(f"posescript={folder}?amass={tmp_path}", Drops())


def test_a_file_that_is_cut_off_says_how_large_it_should_be(tmp_path):
    folder = write_coco(tmp_path, [coco_person(1)])
    file = folder / "annotations" / "person_keypoints_val2017.json"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(SourceError, match=r"it holds 200 bytes, the whole file train 239 MB"):
        list(open_source(f"coco={folder}", Drops()))


def test_nothing_usable_is_an_error_that_counts_the_reasons(tmp_path):
    for name in ("a", "b"):
        file = tmp_path / "KIT" / f"{name}_poses.npz"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"PK\x03\x04 half of a download")
    drops = Drops()
    with pytest.raises(EmptySourceError, match="2 records were left out"):
        list(open_source(f"amass={tmp_path}", drops))
    assert [drop.key for drop in drops.dropped] == [
        "amass/KIT/a_poses.npz",
        "amass/KIT/b_poses.npz",
    ]


def test_what_was_left_out_is_a_report(tmp_path):
    drops = Drops()

    def refuse():
        raise UnusableRecordError("has no box")

    assert list(drops.keep("coco/1", refuse)) == []
    report = drops.write(tmp_path / "dropped.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in report] == [{"key": "coco/1", "reason": "has no box"}]
    assert drops.summary() == "1 records were left out\n  1 x has no box"


def test_records_come_before_the_rest_is_read(tmp_path):
    write_amass(tmp_path, "CMU/01/01_01_poses.npz")
    broken = tmp_path / "KIT" / "1" / "x_poses.npz"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"no archive")
    drops = Drops()
    records = open_source(f"amass={tmp_path}", drops)
    assert next(iter(records)).key == "amass/CMU/01/01_01_poses.npz:0"
    assert len(drops) == 0
    assert len(list(records)) == 1
    assert len(drops) == 1


CMU = "CMU/01/01_01_poses.npz"
INDEX = {"1": ["AMASS", CMU, 0], "2": ["AMASS", CMU, 1], "3": ["AMASS", "gone_poses.npz", 1]}


def write_two_of_amass(folder):
    write_amass(folder, CMU)
    (folder / "CMU" / "bad_poses.npz").write_bytes(b"PK")


def write_files(folder):
    write_bvh_text(folder, bvh_text([{"position": (0, 86, i)} for i in range(40)]), "clip.bvh")
    (folder / "bad.npz").write_bytes(b"PK")


WRITERS = {
    "mocap": small_folder,
    "files": write_files,
    "amass": write_two_of_amass,
    "moyo": write_moyo,
    "babel": lambda folder: write_babel(folder, frame_labels=[babel_label("walk", 0.0, 0.1)]),
    "posescript": lambda folder: write_posescript(folder, INDEX),
    "posefix": lambda folder: write_posefix(folder, INDEX),
    "human36m": write_human36m,
    "mpi_inf_3dhp": lambda folder: write_mpi_inf_3dhp(folder, broken_frame=0),
    "h3wb": write_h3wb,
    "3dpw": write_3dpw,
    "bedlam": write_bedlam,
    "egobody": write_egobody,
    "coco": lambda folder: write_coco(folder, [coco_person(1), coco_person(2, iscrowd=1)]),
    "coco_wholebody": lambda folder: write_coco(
        folder, [coco_whole_body_person(1)], stem="coco_wholebody_val_v1.0"
    ),
    "crowdpose": write_crowdpose,
    "ubody": write_ubody,
    "mpii": write_mpii,
}
"""Writes a small source, some with something in it that must be left out."""


@pytest.mark.parametrize("called", ["", "second"])
@pytest.mark.parametrize("name", SOURCES)
def test_records_and_what_was_left_out_carry_the_name_they_were_asked_for_by(
    name, called, tmp_path
):
    folder, amass = tmp_path / name, tmp_path / "amass of others"
    folder.mkdir()
    WRITERS[name](folder)
    write_amass(amass, CMU)
    options = [f"amass={amass}"] * ("amass" in SOURCES[name].takes) + [f"name={called}"] * bool(
        called
    )
    wanted, drops = called or name, Drops()
    records = list(open_source(f"{name}={folder}?{'&'.join(options)}", drops))
    every = [
        one
        for found in records
        for one in (
            [found, found.first, found.second] if isinstance(found, RecordPair) else [found]
        )
    ]
    assert {record.source for record in every} == {wanted}
    assert {record.key.split("/")[0] for record in every} == {wanted}
    assert {drop.key.split("/")[0] for drop in drops.dropped} <= {wanted}
    if name != "babel":  # its two kinds of files may label one recording twice
        assert len({record.key for record in records}) == len(records)


def test_a_source_may_be_asked_for_twice_and_no_record_comes_twice(tmp_path):
    write_amass(tmp_path, "CMU/01/01_01_poses.npz", frames=24)
    write_amass(tmp_path, "KIT/1/walk_poses.npz", frames=24)
    drops = Drops()
    texts = [f"amass={tmp_path}?only=CMU/*&fps=10", f"amass={tmp_path}?fps=20"]
    keys = [record.key for record in open_sources(texts, drops)]
    walk = [f"amass/KIT/1/walk_poses.npz:{frame}" for frame in (0, 6, 12, 18)]
    assert keys == [f"amass/CMU/01/01_01_poses.npz:{frame}" for frame in (0, 12, 6, 18)] + walk
    assert [(drop.key, drop.reason) for drop in drops.dropped] == [
        (f"amass/CMU/01/01_01_poses.npz:{frame}", "came already, asked for as amass before")
        for frame in (0, 12)
    ]


def test_two_folders_under_one_name_are_refused_and_under_two_are_read(tmp_path):
    for folder in ("first", "second"):
        write_amass(tmp_path / folder, "CMU/01/01_01_poses.npz", frames=1)
    texts = [f"amass={tmp_path / folder}" for folder in ("first", "second")]
    with pytest.raises(ConfigError, match=r"both be called 'amass'; give one.*\?name=WORD"):
        open_sources(texts, Drops())
    texts[1] += "?name=studio-b"
    assert [record.key for record in open_sources(texts, Drops())] == [
        "amass/CMU/01/01_01_poses.npz:0",
        "studio-b/CMU/01/01_01_poses.npz:0",
    ]


def test_several_sources_are_checked_before_the_first_record(tmp_path):
    write_amass(tmp_path, "CMU/01/01_01_poses.npz")
    with pytest.raises(SourceError, match="nowhere"):
        open_sources([f"amass={tmp_path}", f"coco={tmp_path / 'nowhere'}"], Drops())


@pytest.mark.parametrize("name", ["", "a/b", "coco", "two words"])
def test_a_name_that_is_no_word_or_another_source_s_is_refused(name):
    with pytest.raises(ConfigError, match="name must be a word"):
        parse_request(f"amass=/data?name={name}")


def test_nothing_usable_under_a_name_of_its_own_says_so(tmp_path):
    (tmp_path / "x_poses.npz").write_bytes(b"PK")
    drops = Drops()
    with pytest.raises(EmptySourceError, match="studio gave no usable record") as error:
        list(open_source(f"amass={tmp_path}?name=studio", drops))
    assert "1 records were left out" in str(error.value)
    assert drops.dropped[0].key == "studio/x_poses.npz"


DAMAGE = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "a web page": lambda content: b"<!DOCTYPE html><title>404</title>",
    "zeros": lambda content: bytes(len(content)),
    "a list": lambda content: b"[1, 2, null]",
    "no objects": lambda content: b'{"images": [null], "annotations": [null, 3], "1": 2, "": []}',
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", SOURCES)
def test_a_damaged_file_is_named_and_never_a_crash(name, damage, tmp_path):
    folder, amass = tmp_path / name, tmp_path / "amass of others"
    folder.mkdir()
    WRITERS[name](folder)
    write_amass(amass, CMU)
    wanted = {"amass": amass, "pictures": "whole", "texts": "all"}
    options = "&".join(f"{k}={v}" for k, v in wanted.items() if k in SOURCES[name].takes)
    for file in [path for path in sorted(folder.rglob("*")) if path.is_file()]:
        whole = file.read_bytes()
        file.write_bytes(DAMAGE[damage](whole))
        drops, said = Drops(), ""
        try:
            list(open_source(f"{name}={folder}?{options}", drops))
        except UniPoseError as error:
            said = str(error)
        no_fits = damage == "no objects" and "smpl_param" in file.name  # nobody has to have one
        assert said or drops.dropped or no_fits, f"nobody noticed that {file} is damaged"
        file.write_bytes(whole)
