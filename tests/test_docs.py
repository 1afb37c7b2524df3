"""The documentation builds, needs nobody else's host, and shows what its commands really print."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from huggingface_hub import DatasetCard, ModelCard
from nbclient import NotebookClient

from tests.docs_commands import LEARNED, PAGES, commands, renewed
from unipose.app.examples import example_pose
from unipose.body.pose import Pose
from unipose.errors import MissingFileError
from unipose.files import save_pose
from unipose.vision.network_files import network_file

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
NOTEBOOKS = sorted(path.name for path in DOCS.glob("*.ipynb"))
LOADED = re.compile(
    r"<(?:script|img|iframe|source|video)\b[^>]*\bsrc=[\"']?((?:https?:)?//[^\"'\s>]+)"
    r"|<link\b(?=[^>]*rel=[\"']?(?:stylesheet|preconnect|preload|icon|modulepreload))[^>]*"
    r"\bhref=[\"']?((?:https?:)?//[^\"'\s>]+)"
)
"""What a browser fetches by itself; links that somebody may click are no matter."""
IN_STYLES = re.compile(r"(?:url\(|@import\s*)[\"']?((?:https?:)?//[^\"')\s]+)")


def test_a_page_that_fetches_from_elsewhere_is_found():
    page = (
        '<script src="https://a.org/x.js"></script><a href="https://b.org">b</a>'
        '<link href="//c.org/y.css" rel="stylesheet"><link rel="canonical" href="https://d.org">'
    )
    assert ["".join(found) for found in LOADED.findall(page)] == [
        "https://a.org/x.js", "//c.org/y.css",
    ]  # fmt: skip
    assert IN_STYLES.findall("a{src:url('https://e.org/f.woff')}b{src:url(g.woff)}") == [
        "https://e.org/f.woff"
    ]


def test_every_page_has_its_place_in_the_navigation():
    named = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert {page for page in pages if not page.startswith("log-")} == named - {"log-"}


@pytest.mark.slow
def test_the_site_builds_strictly_and_fetches_nothing_from_elsewhere(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    pages = {page: page.read_text(encoding="utf-8") for page in tmp_path.rglob("*.html")}
    assert len(pages) > 20
    styles = {style: style.read_text(encoding="utf-8") for style in tmp_path.rglob("*.css")}
    assert {
        page.name: found for page, text in pages.items() if (found := LOADED.findall(text))
    } == {}
    found = {s.name: f for s, text in {**styles, **pages}.items() if (f := IN_STYLES.findall(text))}
    assert found == {}
    assert 'class="mermaid"' not in "".join(pages.values())  # the theme fetches its program
    assert "describe_batch" in pages[tmp_path / "api.html"]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_command_prints_what_the_page_shows(page: str, tmp_path, monkeypatch):
    if LEARNED.search((DOCS / page).read_text(encoding="utf-8")):
        pytest.skip("tests/test_chains.py runs it")
    if any(re.search(r"\.(png|mp4) -o", command) for command, _ in commands(page)):
        try:
            network_file("nanodet")
        except MissingFileError:
            pytest.skip("the networks for photographs are not here")
    monkeypatch.chdir(tmp_path)
    assert renewed(page) == (DOCS / page).read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("page", ["quickstart.md", "huggingface.md", "model_card.md"])
def test_the_python_of_a_page_runs(page: str, tmp_path, monkeypatch):
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert blocks
    monkeypatch.chdir(tmp_path)
    save_pose(example_pose("squat"), "squat.npz")
    Path("page.py").write_text("\n".join(blocks), encoding="utf-8")
    left = runpy.run_path("page.py")
    poses = [one for one in left.values() if isinstance(one, Pose)]
    assert poses
    assert all(len(pose) == 1 for pose in poses)


def test_notebooks_are_kept_without_outputs():
    assert NOTEBOOKS == ["quickstart.ipynb", "train_your_own.ipynb"]
    for name in NOTEBOOKS:
        cells = json.loads((DOCS / name).read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert len(code) >= 5
        assert [(cell["outputs"], cell["execution_count"]) for cell in code] == [([], None)] * len(
            code
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_from_top_to_bottom(name: str, tmp_path, monkeypatch, socket_enabled):
    # its kernel finds the checkout, and writes into a folder of its own
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "2"))
    notebook = nbformat.read(DOCS / name, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=250,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    printed = [
        output["text"] for cell in notebook.cells for output in cell.get("outputs", [])
        if output["output_type"] == "stream" and output["name"] == "stdout"
    ]  # fmt: skip
    assert printed[-1].strip() == "done"


def test_the_cards_are_cards_of_the_hub():
    model = ModelCard.load(DOCS / "model_card.md")
    assert (model.data.license, model.data.library_name) == ("apache-2.0", "unipose")
    assert "human-pose" in model.data.tags
    data = DatasetCard.load(DOCS / "data_card.md")
    assert data.data.language == "en"
