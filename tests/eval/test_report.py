"""One page of all figures: ours beside chance, drawn too; published ones apart; nothing to load."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from eval import published, report
from eval.page import Figure, PageSection, as_html, as_markdown, shown
from eval.report import PARTS, ReportOptions, main
from eval.retrieval import RANKS, TOPS
from eval.sections import sections_of
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
SAID = "The <b>left</b> knee is *bent*."
FOUND: dict[str, dict[str, Any]] = {
    "examples": {
        "sees": True,
        "shown": [
            {"file": "report_person_1.webp", "said": SAID, "mpjpe_mm": 61.4},
            {"file": "report_person_1.webp", "said": "Somebody sits.", "mpjpe_mm": None},
        ],
        "split": "test",
    },
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

    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report_person_1.webp").write_bytes(b"RIFF")
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
    assert not any(word in page for word in ("http:", "https:", "<script", "<link", "url("))
    shown_files = re.findall('src="([^"]*)"', page)
    assert shown_files == ["data:image/webp;base64,UklGRg=="] * 2


def test_the_markdown_shows_files_that_lie_beside_it(options: ReportOptions) -> None:
    main(options)
    shown_files = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", (options.out / "report.md").read_text())
    assert "report_generation_mm.svg" in shown_files
    assert "report_person_1.webp" in shown_files
    assert all((options.out / name).is_file() for name in shown_files)


def test_what_the_model_says_is_the_caption_of_its_picture(options: ReportOptions) -> None:
    main(options)
    text, page = ((options.out / f"report.{form}").read_text() for form in ("md", "html"))
    assert "<figcaption>“The &lt;b&gt;left&lt;/b&gt; knee is *bent*.” MPJPE 61 mm.<" in page
    assert "“The \\<b\\>left\\</b\\> knee is \\*bent\\*.” MPJPE 61 mm." in text
    assert "“Somebody sits.” No pose was answered." in text


def test_described_poses_have_no_error() -> None:
    shown_poses = [{"file": "report_pose_1.webp", "said": "Somebody sits."}]
    found = {"examples": {"sees": False, "shown": shown_poses, "split": "test"}}
    assert [figure.caption for figure in sections_of(found)[0].figures] == ["“Somebody sits.”"]


def test_every_section_of_ours_has_bars_and_no_published_one_has() -> None:
    drawn = {section.title for section in sections_of(FOUND) if section.charts}
    assert len(drawn) == len(FOUND) - 1  # all but the examples
    assert not any("Published" in title for title in drawn)
    told = " ".join(chart.text for section in sections_of(FOUND) for chart in section.charts)
    assert "UniPose" not in told
    for words in ("described: true 90.0 (by chance 20.0)", "edited: MPJPE 55.5", "F1 50.0"):
        assert words in told


def test_a_part_that_is_left_out_has_no_bars() -> None:
    assert not sections_of({"estimation": {"left_out": "no eyes"}})[0].charts


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
    section = PageSection(title="a < b", columns=("", "c|d"), rows=[("<b>", 0.5)])
    assert "<td>&lt;b&gt;</td><td>0.500</td>" in as_html("t", "i", [section])
    assert "c\\|d" in as_markdown("t", "i", [section])


def test_a_picture_is_described_for_whoever_cannot_see_it(tmp_path: Path) -> None:
    (tmp_path / "some.webp").write_bytes(b"RIFF")
    figure = Figure(file="some.webp", alt='a "pose"', caption="c")
    page = as_html("t", "i", [PageSection(title="s", figures=[figure])], tmp_path)
    assert '<img alt="a &quot;pose&quot;" src="data:image/webp;base64,' in page
    assert '![a "pose"](some.webp)' in as_markdown(
        "t", "i", [PageSection(title="s", figures=[figure])]
    )


def test_every_part_can_be_measured() -> None:
    assert set(PARTS) == set(report.MEASURES)


def test_numbers_have_the_decimals_that_their_size_asks_for() -> None:
    assert [shown(cell) for cell in (0.038, 94.7, 3, 0.0, "")] == ["0.038", "94.7", "3", "0.0", ""]


def test_a_part_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigError, match="'speed'"):
        ReportOptions(data=Path(), out=Path(), parts=("speed",))
