"""What is installed: packages that everything needs, those of extras, and how large they are."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, distributions, requires, version
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from packaging.requirements import Requirement

PROJECT = "unipose"
PACKAGE_OF = {"faiss": "faiss-cpu", "PIL": "pillow", "open_clip": "open-clip-torch"}
"""Import names that are not their package's, dashes aside."""


@dataclass(frozen=True, kw_only=True)
class ExtraPackages:
    """One extra of the project and what is wrong with it here."""

    name: str
    packages: tuple[str, ...]
    problems: tuple[str, ...]
    """Per package that is missing or of another version, what is the matter."""

    @property
    def command(self) -> str:
        """Return the one command that brings it."""
        return f"pip install -e '.[{self.name}]'"


def needed(extra: str = "") -> list[Requirement]:
    """Return what the project asks for: without an extra, or what one adds."""
    from packaging.requirements import Requirement

    wanted = [Requirement(line) for line in requires(PROJECT) or []]
    if not extra:
        return [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    return [
        one for one in wanted
        if one.marker is not None and one.marker.evaluate({"extra": extra})
        and not one.marker.evaluate({"extra": ""}) and one.name != PROJECT
    ]  # fmt: skip


def problems_of(wanted: Iterable[Requirement]) -> tuple[str, ...]:
    """Return what is missing or of a version that does not fit."""
    wrong = []
    for need in wanted:
        try:
            found = version(need.name)
        except PackageNotFoundError:
            wrong.append(f"{need.name} is missing")
            continue
        if not need.specifier.contains(found, prereleases=True):
            wrong.append(f"{need.name} {found} is not {need.specifier}")
    return tuple(wrong)


def extras() -> list[ExtraPackages]:
    """Return the project's extras, that of developers left out."""
    names = distribution(PROJECT).metadata.get_all("Provides-Extra") or []
    found = []
    for name in sorted(names):
        wanted = needed(name)
        if name == "dev" or not wanted:
            continue
        packages = tuple(need.name for need in wanted)
        found.append(ExtraPackages(name=name, packages=packages, problems=problems_of(wanted)))
    return found


def missing_package(error: BaseException | None) -> str | None:
    """Return which of our packages an import lacked and which command brings it; None if none."""
    while error is not None and not isinstance(error, ModuleNotFoundError):
        error = error.__cause__
    module = "" if error is None or not error.name else error.name.partition(".")[0]
    command = command_for(module) if module and find_spec(module) is None else None
    return f"{module} is not installed; {command} brings it" if command else None


def command_for(module: str) -> str | None:
    """Return the command that brings a module by its import name; None if we do not ask for it."""
    from packaging.utils import canonicalize_name

    package = canonicalize_name(PACKAGE_OF.get(module, module))
    try:
        names = distribution(PROJECT).metadata.get_all("Provides-Extra") or []
        asking = [
            name for name in ("", *names)
            if package in {canonicalize_name(need.name) for need in needed(name)}
        ]  # fmt: skip
    except PackageNotFoundError:  # ours: the programs run out of their folder
        return None
    if "" in asking:
        return "`make setup`"
    commands = [f"`pip install -e '.[{name}]'`" for name in asking if name != "dev"]
    return " or ".join(["`make setup-all`"] * ("dev" in asking) + commands[:1]) or None


def tell_missing_packages() -> None:
    """Let a program that lacks one of our packages end in one line that says what brings it.

    Programs import most of what they need before they run: only Python itself catches that.
    """
    usual = sys.excepthook

    def told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        missing = missing_package(error)
        if missing is None:
            usual(kind, error, trace)
        else:
            sys.stderr.write(f"error: {missing}\n")

    sys.excepthook = told


def closure(wanted: Iterable[Requirement]) -> set[str]:
    """Return the installed packages that these need, they themselves among them; normal names."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    waiting = list(wanted)
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        one = waiting.pop()
        key = (canonicalize_name(one.name), frozenset(one.extras))
        if key in seen:
            continue
        try:
            lines = requires(one.name) or []
        except PackageNotFoundError:
            continue
        seen.add(key)
        for need in map(Requirement, lines):
            named = ["", *one.extras]
            if need.marker is None or any(need.marker.evaluate({"extra": e}) for e in named):
                waiting.append(need)
    return {name for name, _ in seen}


def package_sizes_mb() -> dict[str, float]:
    """Return how much each installed package takes on disk, the largest first (megabytes)."""
    sizes: dict[str, float] = {}
    for one in distributions():
        files = [one.locate_file(file) for file in one.files or []]
        size = sum(path.stat().st_size for path in files if path.exists())  # type: ignore[attr-defined]
        sizes[one.metadata["Name"]] = size / 1e6
    return dict(sorted(sizes.items(), key=lambda pair: -pair[1]))
