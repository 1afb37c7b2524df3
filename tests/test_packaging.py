"""The rooms are ours, imports are light, and the environment's shim leaves good installs alone."""

from __future__ import annotations

import ast
import json
import re
import resource
import subprocess
import sys
import tomllib
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests import lock_files
from tests.lock_files import LOCKS, declared, split

ROOT = Path(__file__).parents[1]
ROOMS = ("tokenizer", "unipose", "data_builders", "train", "eval", "planner")


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, timeout=250, check=False
    )


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_the_one_of_this_checkout(room: str):
    # A package called `tokenizer` exists on the index; installed, it would come before ours.
    spec = find_spec(room)
    assert spec is not None
    assert Path(str(spec.origin)) == ROOT / room / "__init__.py"


def test_from_another_folder_the_rooms_are_still_ours(tmp_path: Path):
    program = "import importlib, json\n" + (
        f"print(json.dumps([importlib.import_module(m).__file__ for m in {ROOMS}]))"
    )
    done = run(sys.executable, "-c", program, cwd=tmp_path)
    assert done.stderr == ""
    assert json.loads(done.stdout) == [str(ROOT / room / "__init__.py") for room in ROOMS]


@pytest.mark.parametrize("room", ROOMS)
def test_no_file_in_a_room_is_named_like_a_room(room: str):
    assert [p for p in (ROOT / room).rglob("*.py") if p.stem in ROOMS] == []


def test_every_room_stands_under_the_import_contracts():
    linted = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders - {"tests"} == set(ROOMS) == set(linted["root_packages"])
    layers, *_, acyclic = linted["contracts"]
    assert set(" | ".join(layers["layers"]).split(" | ")) == set(ROOMS)
    assert (acyclic["type"], set(acyclic["ancestors"])) == ("acyclic_siblings", set(ROOMS))


def test_no_file_has_a_name_that_says_nothing():
    empty_names = {"utils", "helpers", "misc", "common"}
    assert [p for room in ROOMS for p in (ROOT / room).rglob("*.py") if p.stem in empty_names] == []


def test_a_long_file_says_in_its_first_lines_why_it_is_one():
    long = {
        path: ast.get_docstring(ast.parse(text)) or ""
        for room in (*ROOMS, "tests")
        for path in (ROOT / room).rglob("*.py")
        if (text := path.read_text()).count("\n") > 400
    }
    without = [path for path, said in long.items() if not re.search(r"^One file: \w", said, re.M)]
    assert without == []


def test_a_class_name_is_used_once():
    names = Counter(
        node.name
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_importing_unipose_and_its_command_imports_nothing_heavy():
    heavy = ("torch", "numpy", "transformers", "torchvision", "rich", "scipy")
    program = (
        f"import unipose, unipose.app.cli, sys; print([m for m in {heavy} if m in sys.modules])"
    )
    assert run(sys.executable, "-c", program).stdout == "[]\n"


def test_help_comes_at_once():
    command = str(Path(sys.executable).with_name("unipose"))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert run(command, "--help").returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    work = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert 0 < work < 1.0  # of the processor: how much else runs does not matter


def test_what_the_package_offers_is_found_where_it_lives():
    import unipose
    from unipose.body.pose import Pose

    assert unipose.Pose is Pose
    with pytest.raises(AttributeError, match="no attribute 'Poses'"):
        _ = unipose.Poses


@pytest.mark.slow
def test_torchvision_open_clip_and_accelerate_can_be_imported_here():
    program = "import open_clip, torchvision, timm, accelerate.commands.accelerate_cli as a"
    done = run(sys.executable, "-W", "ignore", "-c", f"{program}; print(a.main)")
    assert done.stdout.startswith("<function main"), done.stderr


@pytest.mark.slow
def test_beside_a_cuda_torch_the_shim_declares_nothing():
    program = (
        "import torch; torch.version.cuda = '13.0'\n"
        "from unipose.torchvision_cpu import declare_missing_operators\n"
        "print(declare_missing_operators())"
    )
    assert run(sys.executable, "-c", program).stdout == "False\n"


@pytest.mark.slow
def test_the_shim_declares_an_operator_only_once():
    program = (
        "import torchvision\n"
        "from unipose.torchvision_cpu import declare_missing_operators\n"
        "print(declare_missing_operators())"
    )
    assert run(sys.executable, "-c", program).stdout == "False\n"


def test_the_shim_in_site_packages_costs_nothing_until_torchvision_is_imported():
    program = "import sys; print('torch' in sys.modules, 'importlib.util' in sys.modules)"
    assert run(sys.executable, "-S", "-c", program).stdout.startswith("False")
    assert run(sys.executable, "-c", program).stdout.startswith("False")


def locked(name: str) -> set[str]:
    """Return the packages that a lock file pins, by their normal names."""
    lines = (ROOT / name).read_text().splitlines()
    pinned = [line for line in lines if not line.startswith("#")]
    assert [line for line in pinned if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    return {canonicalize_name(line.partition("==")[0]) for line in pinned}


def test_every_dependency_is_locked_to_an_exact_version_from_the_index():
    first, rest = (locked(name) for name in LOCKS)
    wanted = declared()
    assert {canonicalize_name(need.name) for need in wanted[""]} <= first
    extras = [need for name in ("training", "data", "texts", "ray", "onnx", "dev")
              for need in wanted[name]]  # fmt: skip
    assert {canonicalize_name(need.name) for need in extras} <= first | rest
    assert first & rest == set()


def test_what_the_first_answer_does_not_need_is_not_installed_for_it():
    heavy = {"deepspeed", "bitsandbytes", "ray", "faiss-cpu", "tensorboard", "datasets", "pyarrow"}
    tools = {"pytest", "ruff", "pyright", "playwright", "mkdocs"}
    assert (heavy | tools) & locked("requirements.lock") == set()
    assert heavy | tools <= locked("requirements-all.lock")


def test_the_packages_that_the_project_stands_on_are_declared():
    names = {canonicalize_name(need.name) for some in declared().values() for need in some}
    assert names >= {
        "transformers", "peft", "accelerate", "deepspeed", "torch", "open-clip-torch", "smplx",
        "datasets", "bitsandbytes", "pytest",
    }  # fmt: skip


def test_a_lock_holds_what_everything_needs_and_another_the_rest(monkeypatch):
    monkeypatch.setattr(lock_files, "closure", lambda wanted: {"typer", "torch"})
    frozen = ["typer==0.29.2", "torch==2.13.0+cpu", "ruff==0.17.5", "pip==23.2", "-e file:///x"]
    assert split(frozen) == (["typer==0.29.2", "torch==2.13.0"], ["ruff==0.17.5"])
