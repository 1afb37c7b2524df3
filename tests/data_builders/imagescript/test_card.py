from __future__ import annotations

import io
from pathlib import Path

import pytest
import yaml
from datasets import load_dataset
from PIL import Image

from data_builders.imagescript.card import (
    CardFacts,
    PairFigures,
    SourceFacts,
    common_reasons,
    write_card,
)
from data_builders.imagescript.schema import FEATURES
from data_builders.posecodes.diversity import text_figures
from data_builders.readers.registry import SOURCES
from data_builders.records import Dropped
from tests.fakes.image_talk import COUNTS, TOTAL, make_row, write_image_talk, write_rows
from unipose.errors import ConfigError, FileError


def make_facts(counts, **changes) -> CardFacts:
    studio = SourceFacts(
        name="studio",
        about="renders of recorded movements",
        licence="Apache-2.0",
        cite="UniPose",
        home="this project",
        counts=counts.get("studio", {}),
    )
    sources = (studio, SourceFacts.of(SOURCES["coco"], counts.get("coco", {})))
    facts = {
        "sources": sources,
        "texts": {"imagescript-a, plain": text_figures(["A knee is bent.", "An arm is up."])},
        "pairs": {"imagediff-a": PairFigures.of([0.7, 0.8, 0.9], [10, 12, 20])},
        "dropped": 3,
        "reasons": (("/home/someone/coco/a.jpg: is 2 | 3 px <b>", 3),),
        "seed": 7,
        "settings": {"fps": 2.0, "folder": "/home/someone/out/here"},
        "unipose": "0.1.0",
    }
    return CardFacts(**(facts | changes))


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    counts = write_image_talk(folder)
    write_card(folder, make_facts(counts))
    return folder


@pytest.fixture
def card(built: Path) -> str:
    return (built / "README.md").read_text(encoding="utf-8")


def header(card: str) -> dict:
    return yaml.safe_load(card.split("---\n")[1])


@pytest.mark.parametrize("config", COUNTS)
def test_each_configuration_loads_with_its_splits_and_columns(built, tmp_path, config):
    data = load_dataset(str(built), config, cache_dir=str(tmp_path))
    sizes = dict(zip(("train", "val", "test"), COUNTS[config], strict=True))
    assert {split: len(data[split]) for split in data} == {k: v for k, v in sizes.items() if v}
    assert data["train"].features == FEATURES[config]


def test_what_is_loaded_is_what_was_written(built, tmp_path):
    row = load_dataset(str(built), "imagescript-a", split="val", cache_dir=str(tmp_path))[1]
    written = make_row("imagescript-a", 1)
    with Image.open(io.BytesIO(written["image"]["bytes"])) as picture:
        assert row["image"].tobytes() == picture.convert("RGB").tobytes()
    assert row["captions"] == written["captions"]
    assert row["person"]["pose"] is None
    assert row["person"]["keypoints_2d"]["names"] == written["person"]["keypoints_2d"]["names"]


def test_it_streams(built, tmp_path):
    data = load_dataset(str(built), "imagediff-a", streaming=True, cache_dir=str(tmp_path))
    rows = list(data["test"])
    assert [row["key"] for row in rows] == ["imagediff-a/0", "imagediff-a/1"]
    assert rows[0]["image_b"].size == (96, 96)
    assert rows[0]["person_a"]["box"] == [38.0, 5.0, 70.0, 90.0]


def test_without_a_name_the_first_configuration_loads(built, tmp_path):
    data = load_dataset(str(built), cache_dir=str(tmp_path))
    assert data["train"].features == FEATURES["imagescript-a"]


def test_the_header_names_licence_size_and_tasks(card):
    found = header(card)
    assert found["license"] == "other"
    assert found["size_categories"] == "n<1K"
    assert "image-to-text" in found["task_categories"]
    assert [config["config_name"] for config in found["configs"]] == [*COUNTS]


def test_sources_of_one_licence_give_the_card_that_licence(tmp_path):
    counts = write_image_talk(tmp_path, {"imagescript-a": (1, 0, 0)})
    facts = make_facts(counts)
    write_card(tmp_path, make_facts(counts, sources=facts.sources[:1]))
    found = header((tmp_path / "README.md").read_text(encoding="utf-8"))
    assert found["license"] == "apache-2.0"
    assert "license_name" not in found


def test_the_table_counts_records_by_split_and_source(card):
    assert "| configuration | split | studio | coco | all |" in card
    assert "| imagescript-a | train | 2 | 2 | **4** |" in card
    assert "| imagediff-r | val | 1 | 0 | **1** |" in card
    assert f"({TOTAL:,})" not in card


def test_figures_of_posescript_are_said_to_be_theirs(card):
    assert "| *theirs:* PoseScript-A2 | 300000 |" in card
    assert "| PoseScript-" not in card
    assert "| imagediff-a | 3 | 0.710 / 0.800 / 0.890 | 10 / 12 / 19 |" in card


def test_reasons_keep_their_cell_and_nobody_learns_the_users_folders(card):
    assert "| …/a.jpg: is 2 \\| 3 px &lt;b> | 3 |" in card
    assert "someone" not in card


def test_homes_of_sources_stay_whole(card):
    assert SOURCES["coco"].home in card


def test_counts_that_are_not_those_of_the_files_are_refused(built, tmp_path):
    write_rows(tmp_path, "reasoning", [make_row("reasoning", 0)])
    with pytest.raises(FileError, match="train holds 1 rows, the sources' counts sum to 0"):
        write_card(tmp_path, make_facts({}))
    assert not (tmp_path / "README.md").exists()


def test_an_empty_folder_gets_no_card(tmp_path):
    with pytest.raises(FileError, match="holds no Parquet files"):
        write_card(tmp_path, make_facts({}))


def test_a_configuration_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="imagescript-x"):
        make_facts({"studio": {"imagescript-x": {"train": 1}}})


def test_pairs_without_figures_are_refused():
    with pytest.raises(ConfigError, match="got 1 and 0"):
        PairFigures.of([0.5], [])


def test_reasons_that_differ_in_numbers_and_paths_are_one():
    texts = ["/data/a.jpg: 12 px high", "/data/b/c.jpg: 9 px high", "no box", "no H36M joint"]
    drops = [Dropped(key=str(i), reason=text) for i, text in enumerate(texts)]
    assert common_reasons(drops) == (("…: … px high", 2), ("no box", 1), ("no H36M joint", 1))
