"""What the README tells people to type works as it stands there."""

from __future__ import annotations

import importlib
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from eval.bench_page import BenchPage
from unipose.app import cli
from unipose.app.examples import example_pose
from unipose.body.body import load_body
from unipose.body.pose import Pose
from unipose.errors import MissingFileError
from unipose.files import save_pose
from unipose.render.drawing import draw_pose
from unipose.vision.network_files import network_file

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BENCHMARKS = ROOT / "docs" / "benchmarks.md"
FOR_BUILDERS = "".join(
    (ROOT / "docs" / name).read_text(encoding="utf-8")
    for name in ("data_sets.md", "train_your_own.md")
)
FIGURE = re.compile(
    r"(?<![\w.])\d[\d,.]*(?: (?:%|mm|cm|ms|s|MB|GB|m/s2|minutes|times|words/s|poses/s|frames/s)"
    r"(?!\w)| (?:of|out of) \d+|/s\b)"
)
"""What is claimed: a number with a unit, or some out of so many."""


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(first: str, text: str = README) -> list[str]:
    """Return a text's shell lines that begin with a word, without their comments."""
    lines = "\n".join(blocks("bash", text)).replace("\\\n", "").splitlines()
    return [line.split("  #")[0].strip() for line in lines if line.startswith(f"{first} ")]


def knows_photographs() -> bool:
    """Whether `make setup` could fetch the networks for photographs."""
    try:
        network_file("nanodet")
    except MissingFileError:
        return False
    return True


@pytest.fixture
def reader_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder, made the current one, with the recording and photo that a reader brings."""
    step = example_pose("step").axis_angle
    swing = step + step.new_tensor([[i / 100] for i in range(60)])[:, :, None] * (step != 0)
    save_pose(Pose.from_axis_angle(swing, fps=30.0), tmp_path / "walk.bvh")
    body = load_body()
    seen = draw_pose(example_pose("step"), body, size=320, view="front")
    Image.fromarray(seen).save(tmp_path / "photo.jpg")
    save_pose(Pose.from_axis_angle(swing[::5], fps=6.0), tmp_path / "walk.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_two_commands_are_targets_of_the_makefile():
    assert commands("make") == ["make chat", "make test"] + [
        line for line in commands("make") if line not in ("make chat", "make test")
    ]
    for line in [*commands("make"), "make help"]:
        done = subprocess.run(
            [*shlex.split(line), "-n"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")},
        )
        assert done.returncode == 0, done.stderr


def test_every_target_named_in_the_text_is_in_the_help():
    done = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    offered = set(re.findall(r"^  make ([a-z-]+)", done.stdout, re.MULTILINE))
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(
        re.findall(
            r"\bmake ((?!s\b)[a-z]+(?:-[a-z]+)?)\b",
            "\n".join(re.findall(r"`[^`]*`|^make .*$", README + contributing, re.MULTILINE)),
        )
    )
    assert named <= offered


def test_ci_runs_the_test_command_of_the_readme_last():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").strip().splitlines()
    assert script[-1] == "make test"
    assert "make test" in commands("make")


OF_PICTURES = re.compile(r"photo\.jpg|walk\.mp4")


def run_lines(lines: list[str], monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    for line in lines:
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        with pytest.raises(SystemExit) as left:
            cli.main()
        assert not left.value.code, f"{line}: {capsys.readouterr().err}"
    made = {word for line in lines for word in shlex.split(line) if word.endswith((".glb", ".png"))}
    assert all(Path(name).stat().st_size > 1000 for name in made)


@pytest.mark.slow
def test_the_unipose_lines_work_one_after_the_other(reader_folder, monkeypatch, capsys):
    lines = [line for line in commands("unipose") if not OF_PICTURES.search(line)]
    assert len(lines) >= 6
    run_lines([line for line in lines if line != "unipose doctor"], monkeypatch, capsys)


@pytest.mark.slow
def test_the_unipose_lines_about_photos_and_films_work(reader_folder, monkeypatch, capsys):
    lines = [line for line in commands("unipose") if OF_PICTURES.search(line)]
    assert len(lines) >= 6
    if not knows_photographs():
        lines = [line for line in lines if not re.search(r" (keypoints|track) |walk.mp4", line)]
    run_lines(lines, monkeypatch, capsys)


@pytest.mark.slow
def test_the_pipe_line_answers(reader_folder):
    (line,) = commands("printf")
    done = subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.slow
def test_the_python_example_runs(reader_folder, capsys):
    program, conversation = blocks("python")
    Path("example.py").write_text(program, encoding="utf-8")
    runpy.run_path("example.py")
    assert "torch.Size([4, 24, 3, 3])" in capsys.readouterr().out
    assert Path("raised.npz").is_file()
    Path("example.py").write_text(conversation, encoding="utf-8")
    runpy.run_path("example.py")
    assert capsys.readouterr().out.rstrip().endswith("False")


@pytest.mark.parametrize("line", commands("accelerate", FOR_BUILDERS))
def test_a_training_line_names_a_program_and_one_of_its_presets(line: str):
    words = shlex.split(line)
    assert words[:3] == ["accelerate", "launch", "-m"]
    program = importlib.import_module(words[3])
    assert words[words.index("--preset") + 1] in program.PRESETS
    assert shutil.which("accelerate", path=str(Path(sys.executable).parent))


@pytest.mark.parametrize("line", commands("python", FOR_BUILDERS))
def test_a_line_of_python_names_a_program(line: str):
    words = shlex.split(line)
    assert words[1] == "-m"
    package = (ROOT / words[2].replace(".", "/")).is_dir()
    program = importlib.import_module(f"{words[2]}.__main__" if package else words[2])
    assert callable(program.main)


def test_no_figure_of_the_readme_is_missing_from_the_page_of_benchmarks():
    prose = re.sub(r"^```.*?^```", "", README, flags=re.MULTILINE | re.DOTALL)
    claimed = [match[0] for match in FIGURE.finditer(prose)]
    page = BENCHMARKS.read_text(encoding="utf-8")
    assert len(claimed) > 20
    assert [figure for figure in claimed if figure not in page] == []


def test_the_tables_of_the_readme_are_those_of_the_page():
    page = BenchPage.read(BENCHMARKS)
    assert page.with_tables(README) == README
    assert page.as_text() == BENCHMARKS.read_text(encoding="utf-8")


def test_a_claim_is_found_in_a_text():
    said = (
        "92.6 % of it, 105 ms, 55 of 61, 17.4 words/s; 24 joints, SMPL2, Python 3.11 and a 3D body"
    )
    found = [match[0] for match in FIGURE.finditer(said)]
    assert found == ["92.6 %", "105 ms", "55 of 61", "17.4 words/s"]


def test_every_file_that_the_texts_link_to_is_there():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    links = [
        page.parent / link.split("#")[0]
        for page in pages
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
        if not link.startswith(("http", "#"))
    ]
    assert [str(link) for link in links if not link.exists()] == []
