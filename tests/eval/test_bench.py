"""All benchmarks in one run: what is kept, left out, said to be wrong, and what the page shows."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from eval import bench, bench_parts
from eval.bench import BenchOptions, main, run_part
from eval.bench_page import BenchPage, PartResult, figures_of, looked_up, shown
from eval.bench_parts import PARTS, BenchFigure, BenchPart
from unipose.errors import ConfigError

PRINTS = (
    "import json, os; from pathlib import Path; p = Path('times'); "
    "n = int(p.read_text()) + 1 if p.exists() else 1; p.write_text(str(n)); "
    "print(json.dumps({'true': 0.926, 'chance_true': 0.33, 'right': 55, 'lines': 61, 'n': n}))"
)
FIGURES = (
    BenchFigure(key="true", what="true", unit="share", readme="poses"),
    BenchFigure(key="right", what="lines", out_of="lines"),
)


def part_of(name: str = "named", *, program: str = PRINTS, needs: str = "") -> BenchPart:
    class Fake(BenchPart):
        command = ("python", "-c", program)  # type: ignore[assignment]

    part = next(part for part in PARTS if part.name == name)
    return Fake(
        name=part.name, title=part.title, program="-", figures=FIGURES, needs=needs  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BenchOptions:
    monkeypatch.chdir(tmp_path)
    return BenchOptions(
        data=tmp_path / "mocap", photos=tmp_path / "photos", lifting=tmp_path / "lifting",
        keep=tmp_path / "kept", page=tmp_path / "page.md", readme=tmp_path / "README.md",
        json=True,
    )  # fmt: skip


def fakes(monkeypatch: pytest.MonkeyPatch, *parts: BenchPart) -> None:
    monkeypatch.setattr(bench, "PARTS", parts)


def test_every_part_is_a_program_with_its_options():
    assert len({part.name for part in PARTS}) == len(PARTS) >= 25
    assert [part.program for part in PARTS if find_spec(part.program) is None] == []


def test_a_figure_is_found_by_its_place_and_names_may_hold_dots():
    printed = {"none.mpjpe_mm": 3.0, "sources": {"cmu.a": {"mpjpe_mm": 4.0}}}
    assert looked_up(printed, "none.mpjpe_mm") == 3.0
    assert looked_up(printed, "sources.cmu.a.mpjpe_mm") == 4.0
    assert looked_up(printed, "sources.hdm05.mpjpe_mm") is None


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.926, "share", "92.6 %"), (97.5, "%", "97.5 %"), (100.0, "%", "100 %"),
        (4.84, "mm", "4.8 mm"), (21043.2, "poses/s", "21,043 poses/s"), (0.1304, "s", "0.13 s"),
        (0, "", "0"), (61, "", "61"),
    ],
)  # fmt: skip
def test_a_number_is_shown_with_its_unit(value: float, unit: str, text: str):
    assert shown(value, unit) == text


def test_chance_and_ceiling_stand_beside_a_figure_where_the_program_printed_them():
    printed = {"a": {"f": 0.5, "chance_f": 0.1, "ceiling_f": 0.9}, "mm": 80.0, "mean_mm": 310.0}
    part = replace(
        PARTS[0],
        figures=(
            BenchFigure(key="a.f", what="f", unit="share"),
            BenchFigure(key="mm", what="error", unit="mm", chance="mean_mm", by="mean pose"),
        ),
    )
    first, second = figures_of(part, printed)
    assert (first.figure, first.chance, first.ceiling) == ("50 %", "10 %", "90 %")
    assert (second.figure, second.chance, second.ceiling) == ("80 mm", "310 mm (mean pose)", "")
    with pytest.raises(ConfigError, match="printed no 'mm'"):
        figures_of(part, {"a": {"f": 0.5}})


@pytest.mark.parametrize(("value", "chance"), [(90.2, 0.5), (0.9, 67.5), (-1.6, 0.0)])
def test_a_share_that_was_printed_in_percent_is_refused(value: float, chance: float):
    part = replace(PARTS[0], figures=(BenchFigure(key="pcc", what="PCC", unit="share"),))
    with pytest.raises(ConfigError, match=r"a share from 0 to 1; a figure in percent .*'%'"):
        figures_of(part, {"pcc": value, "chance_pcc": chance})
    (line,) = figures_of(part, {"pcc": 1.04, "chance_pcc": -0.1})
    assert (line.figure, line.chance) == ("104 %", "-10 %")


def test_a_run_writes_page_figures_and_the_tables_of_the_readme(options, monkeypatch, capsys):
    fakes(monkeypatch, part_of("named"))
    options.readme.write_text("x\n<!-- figures: poses -->\nold\n<!-- end of figures -->\ny\n")
    main(options)
    told = json.loads(capsys.readouterr().out)
    assert told["not_measured"] == {}
    page = options.page.read_text()
    assert "| true | 92.6 % | 33 % |  |" in page
    assert "| lines | 55 of 61 |  |  |" in page
    (row,) = json.loads(options.page.with_suffix(".json").read_text())["parts"]
    assert row["command"].startswith("python -c")
    assert row["machine"]["cores"] >= 1
    readme = options.readme.read_text()
    assert "| true | 92.6 % | 33 % |" in readme
    assert "old" not in readme
    assert readme.endswith("y\n")


def test_what_is_done_is_kept_and_measured_again_when_asked(options, monkeypatch):
    fakes(monkeypatch, part_of("named"))
    main(options)
    main(options)
    assert Path("times").read_text() == "1"
    main(replace(options, again=True))
    assert Path("times").read_text() == "2"


def test_what_was_kept_of_other_weights_is_measured_again(options, monkeypatch):
    fakes(monkeypatch, part_of("named"))
    main(options)
    monkeypatch.setattr(bench, "weights_mark", lambda: "others")
    main(options)
    assert Path("times").read_text() == "2"


def test_other_weights_have_another_mark(tmp_path):
    for name, content in (("a", b"1"), ("b", b"1")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(content)
    first = bench.weights_mark(tmp_path)
    assert bench.weights_mark(tmp_path) == first
    (tmp_path / "b" / "model.safetensors").write_bytes(b"2")
    assert bench.weights_mark(tmp_path) != first


def test_a_part_that_fails_is_named_and_the_others_are_measured(options, monkeypatch):
    broken = part_of("named", program="raise SystemExit('no weights here')")
    fakes(monkeypatch, broken, part_of("talk"))
    with pytest.raises(ConfigError, match="named failed: no weights here"):
        main(options)
    page = BenchPage.read(options.page)
    assert list(page.results) == ["talk"]


def test_a_part_without_its_folder_or_that_is_skipped_keeps_the_lines_of_the_page(
    options, monkeypatch, capsys
):
    fakes(monkeypatch, part_of("named"), part_of("truth", needs="mocap"))
    page = BenchPage()
    page.put(
        PartResult(
            name="named", command="c", measured="2026-01-01 10:00", seconds=None,
            machine={"cores": 2, "processor": "X", "memory_gb": 8}, figures=(),
        )
    )  # fmt: skip
    page.write(options.page, options.readme)
    main(replace(options, skip=("named",)))
    left_out = json.loads(capsys.readouterr().out)["not_measured"]
    assert left_out == {"truth": f"left out: there is no {options.data / 'manifest.csv'}"}
    assert BenchPage.read(options.page).said("named") == "2026-01-01 10:00"


def test_an_unknown_part_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no part 'truht'; there are reconstruction"):
        BenchOptions(skip=("truht",))


def test_a_command_is_run_with_the_folders_and_shown_without_them(options, monkeypatch):
    part = next(part for part in PARTS if part.name == "photographs")
    assert part.command == ("python", "-m", "eval.photographs", "--data", "PHOTOS", "--json")
    assert options.command(part) == [
        sys.executable, "-m", "eval.photographs", "--data", str(options.photos), "--json",
    ]  # fmt: skip
    found = run_part(part_of(), options)
    assert found["printed"]["n"] == 1
    assert 0 <= found["seconds"] < 60


def test_a_table_of_the_readme_that_nobody_fills_is_refused():
    with pytest.raises(ConfigError, match="'nothing'"):
        BenchPage().with_tables("<!-- figures: nothing -->\n<!-- end of figures -->")
    assert bench_parts.GROUPS["Poses and words"][0] is PARTS[0]
