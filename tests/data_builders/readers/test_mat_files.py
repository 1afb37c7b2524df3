"""MATLAB's files: what scipy writes is read, and damage is named and never crashes."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scipy.io import savemat

from data_builders.readers.mat_files import read_mat
from tests.fakes.coco_datasets import struct_array
from tests.fakes.picture_datasets import cell
from unipose.errors import FileError


@pytest.mark.parametrize("packed", [False, True])
def test_numbers_text_cells_and_structs_come_back(packed, tmp_path):
    numbers = np.arange(12, dtype=np.float32).reshape(3, 4)
    people = struct_array([{"name": "ann", "age": 7}, {"name": "", "age": np.zeros((0, 0))}])
    content = {
        "first": 1,
        "all": struct_array([{"n": numbers, "c": cell([numbers, "é"]), "p": people}]),
    }
    savemat(tmp_path / "a.mat", content, do_compression=packed)
    found = read_mat(tmp_path / "a.mat", "all")
    assert np.array_equal(found.n, numbers)
    assert np.array_equal(found.c[0], numbers)
    assert (found.c[1], found.p[0].name, found.p[0].age) == ("é", "ann", 7)
    assert np.size(found.p[1].age) == 0
    assert read_mat(tmp_path / "a.mat", "first") == 1


def test_what_is_not_there_or_of_another_version_is_named(tmp_path):
    savemat(tmp_path / "a.mat", {"a": 1})
    with pytest.raises(FileError, match="holds no 'b'"):
        read_mat(tmp_path / "a.mat", "b")
    (tmp_path / "b.mat").write_bytes(b"MATLAB 7.3 MAT-file" + bytes(200))
    with pytest.raises(FileError, match=r"version 7\.3"):
        read_mat(tmp_path / "b.mat", "b")


def test_a_packed_bomb_is_not_unpacked(tmp_path):
    savemat(tmp_path / "a.mat", {"a": np.zeros(4_000_000)}, do_compression=True)
    with pytest.raises(FileError, match="far more than its size"):
        read_mat(tmp_path / "a.mat", "a")


def test_a_damaged_file_is_an_error_or_other_numbers_but_never_a_crash(tmp_path):
    people = struct_array([{"joints": cell([np.eye(3), "abc"]), "k": struct_array([{"x": 1.5}])}])
    savemat(tmp_path / "a.mat", {"a": people})
    whole = (tmp_path / "a.mat").read_bytes()
    generator = random.Random(0)
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(generator.choice((1, 5))):
            data[generator.randrange(128, len(data))] = generator.choice((0, 1, 14, 255))
        (tmp_path / "b.mat").write_bytes(data)
        try:
            read_mat(tmp_path / "b.mat", "a")
        except FileError:
            refused += 1
    assert refused > 50
