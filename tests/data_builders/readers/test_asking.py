"""Asking for a source: by name and folder, and what is said when something is not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_builders.readers.registry import SOURCES, open_source, parse_request
from data_builders.readers.source import Drops
from tests.fakes.motion_datasets import write_amass, write_posescript
from tests.fakes.picture_datasets import coco_person, write_coco
from unipose.errors import ConfigError, EmptySourceError, SourceError, UnusableRecordError


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
