"""One page of all figures: ours beside chance, published ones apart, nothing to load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eval import published, report
from eval.page import Section, as_html, as_markdown, shown
from eval.report import ReportOptions, main, sections_of
from eval.retrieval import RANKS, TOPS
from unipose.errors import BlindModelError, ConfigError

MATCHED = {
    **{f"{who}r_precision_top{k}": 0.5 for k in TOPS for who in ("", "writer_", "chance_")},
    "truth": 0.9,
    "chance_truth": 0.2,
    "bleu4": 11.0,
    "rouge_l": 12.0,
    "meteor": 13.0,
    "r_precision_group": 32,
    "r_precision_seed": 7,
    "meteor_synonyms": "none",
}
WAYS = ("pose_to_text", "text_to_pose")
RECALLS = {
    "gallery": 77,
    **{f"{w}{way}_at_{k}": 0.4 for k in RANKS for way in WAYS for w in ("", "recorded_")},
    **{f"chance_at_{k}": 0.1 for k in RANKS},
}
ERRORS = {
    f"{who}{name}": 55.5
    for who in ("", "chance_", "mean_pose_", "unchanged_")
    for name in ("mpjpe_mm", "pa_mpjpe_mm", "mpvpe_mm")
}
MADE = {**RECALLS, **ERRORS, "fid": 0.04, "truth": 0.8, "chance_truth": 0.3, "failed": 2}
FOUND: dict[str, dict[str, Any]] = {
    "comprehension": {
        "described": MATCHED, "compared": MATCHED, "split": "test",
        "left_out": "measures of pictures: this model has no eyes",
    },
    "generation": {"generated": MADE, "edited": MADE, "split": "test"},
    "network": {
        **ERRORS, "by": {"network": {**ERRORS, "failed": 0}}, "people": 3, "pictures": "studio",
        "split": "test",
    },
    "evaluators": {"pose": {**RECALLS, **MATCHED}, "pair": {**RECALLS, **MATCHED}, "split": "test"},
    "recognition": {
        "by": {
            "contacts of poses": {"f1": 0.5, "chance_f1": 0.25, "asked": 9, "unread": 1},
            "actions of poses": {
                "accuracy": 0.5, "chance_accuracy": 0.125, "asked": 9, "unread": 0
            },
        },
        "split": "test",
    },
    "training": {
        **{
            f"{who}_tokens_per_{clock}": 9.0
            for who in ("ours", "trainer", "padded") for clock in ("s", "cpu_s")
        },
        **{
            f"tokens_per_{clock}_ratio{against}": 1.25
            for clock in ("s", "cpu_s") for against in ("", "_padded")
        },
        "weights": 1000, "blocks": 2, "threads": 1, "load_average": 0.5,
    },
}  # fmt: skip


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReportOptions:
    def blind(options: ReportOptions) -> dict[str, Any]:
        raise BlindModelError

    measures = {part: (lambda _, part=part: FOUND[part]) for part in FOUND}
    monkeypatch.setattr(report, "MEASURES", {**measures, "estimation": blind})
    return ReportOptions(data=tmp_path, out=tmp_path / "report", json=True)


def test_one_page_is_written_in_three_forms(
    options: ReportOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    main(options)
    text = (options.out / "report.md").read_text()
    page = (options.out / "report.html").read_text()
    figures = json.loads((options.out / "report.json").read_text())
    for piece in ("What is understood", "gallery 77", "tables of their own", "1.2"):
        assert piece in text
        assert piece in page
    assert figures["generation"]["generated"]["fid"] == 0.04
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["training"]["weights"] == 1000


def test_what_a_model_without_eyes_cannot_be_asked_is_said_not_raised(
    options: ReportOptions,
) -> None:
    main(options)
    text = (options.out / "report.md").read_text()
    assert "Left out: this model has no eyes" in text
    assert "Left out: measures of pictures" in text


def test_the_page_needs_no_other_file(options: ReportOptions) -> None:
    main(options)
    page = (options.out / "report.html").read_text()
    assert not any(word in page for word in ("http:", "https:", "<script", "<link", "src="))


def test_published_rows_are_in_no_table_of_ours() -> None:
    sections = sections_of(FOUND)
    theirs = [section for section in sections if section.title.startswith("Published")]
    ours = [section for section in sections if section not in theirs]
    assert len(theirs) == 4
    assert all(published.NOT_COMPARABLE in section.title for section in theirs)
    assert sections[-4:] == theirs
    assert not any("UniPose" in str(row[0]) for section in ours for row in section.rows)


def test_every_row_is_as_long_as_its_heading() -> None:
    for section in sections_of(FOUND):
        assert {len(row) for row in section.rows} <= {len(section.columns)}, section.title


def test_a_run_that_is_stopped_leaves_what_it_had(
    options: ReportOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(options: ReportOptions) -> dict[str, Any]:
        raise ConfigError("no recording is left")

    monkeypatch.setitem(report.MEASURES, "generation", broken)
    with pytest.raises(ConfigError):
        main(options)
    text = (options.out / "report.md").read_text()
    assert "What is understood" in text
    assert "Poses from words" not in text


def test_words_of_a_page_are_not_taken_for_its_marks() -> None:
    section = Section(title="a < b", columns=("", "c|d"), rows=[("<b>", 0.5)])
    assert "<td>&lt;b&gt;</td><td>0.500</td>" in as_html("t", "i", [section])
    assert "c\\|d" in as_markdown("t", "i", [section])


def test_numbers_have_the_decimals_that_their_size_asks_for() -> None:
    assert [shown(cell) for cell in (0.038, 94.7, 3, 0.0, "")] == ["0.038", "94.7", "3", "0.0", ""]


def test_a_part_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigError, match="'speed'"):
        ReportOptions(data=Path(), out=Path(), parts=("speed",))
