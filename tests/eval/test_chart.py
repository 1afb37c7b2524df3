"""Bars that a reader can read: with their numbers, in words too, within the drawing."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from eval.chart import NAMES, NUMBERS, WIDTH, Bar, Chart, as_svg

SPACE = "{http://www.w3.org/2000/svg}"


def chart(unit: str = "%", *bars: tuple[float, float]) -> Chart:
    some = [Bar(name=f"a < {i}", ours=a, beside=b) for i, (a, b) in enumerate(bars)]
    return Chart(name="some", title="Truth & recall", unit=unit, beside="by chance", bars=some)


def lengths(drawing: Chart) -> list[float]:
    root = ElementTree.fromstring(as_svg(drawing, alone=True))
    boxes = [box for box in root.iter(f"{SPACE}rect") if float(box.attrib["x"]) == NAMES]
    return [float(box.attrib["width"]) for box in boxes][1:]  # the first is the legend's


def test_a_bar_is_as_long_as_its_figure() -> None:
    full = WIDTH - NAMES - NUMBERS
    assert lengths(chart("%", (50.0, 25.0))) == [full / 2, full / 4]
    assert lengths(chart("mm", (50.0, 200.0))) == [full / 4, full]


def test_nothing_leaves_the_drawing() -> None:
    assert lengths(chart("%", (-3.0, 120.0))) == [0.0, WIDTH - NAMES - NUMBERS]
    assert lengths(chart("mm", (0.0, 0.0))) == [0.0, 0.0]
    assert lengths(chart("mm")) == []


def test_the_figures_are_there_in_words() -> None:
    root = ElementTree.fromstring(as_svg(chart("mm", (1234.5, 99.96)), alone=True))
    assert root.attrib["role"] == "img"
    assert root.findtext(f"{SPACE}title") == "Truth & recall"
    told = root.findtext(f"{SPACE}desc")
    assert told == "Truth & recall, mm: a < 0 1,234.5 (by chance 100.0)"
    drawn = [text.text for text in root.iter(f"{SPACE}text")]
    assert {"ours", "by chance", "a < 0", "1,234.5", "100.0"} <= set(drawn)


@pytest.mark.parametrize("alone", [False, True])
def test_only_a_file_of_its_own_names_its_format(alone: bool) -> None:
    text = as_svg(chart("%", (1.0, 2.0)), alone=alone)
    assert ("http:" in text) == alone
    assert "prefers-color-scheme:dark" in text
