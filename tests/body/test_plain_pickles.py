"""Pickled dictionaries and lists as plain data, with nothing executed."""

from __future__ import annotations

import collections
import pickle

import numpy as np
import pytest

from tests.fakes.smpl_files import as_python2_pickle
from unipose.body.pickled_arrays import PickleRefusedError, as_plain, read_pickle


def there_and_back(value, protocol=2):
    return as_plain(read_pickle(pickle.dumps(value, protocol=protocol)))


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_plain_data_comes_back(protocol):
    value = {
        "people": [np.arange(6, dtype=np.float32).reshape(2, 3), np.array([True, False])],
        "names": ["m", "f"],
        "words": np.array(["0075", "0080"]),
        "number": np.float64(2.5),
        "ordered": collections.OrderedDict(a=1),
        5: None,
    }
    found = there_and_back(value, protocol)
    assert np.array_equal(found["people"][0], value["people"][0])
    assert found["people"][1].tolist() == [True, False]
    assert found["words"].tolist() == ["0075", "0080"]
    assert (found["names"], found["number"], found["ordered"]) == (["m", "f"], 2.5, {"a": 1})
    assert found[5] is None


def test_arrays_of_objects_are_lists_and_one_object_is_itself():
    objects = np.empty(2, dtype=object)
    objects[:] = [{"a": 1}, "b"]
    assert there_and_back(objects) == [{"a": 1}, "b"]
    assert there_and_back(np.array({"a": np.int64(1)}, dtype=object)) == {"a": 1}


def test_python_2_s_names_mean_the_same():
    data = as_python2_pickle(pickle.dumps({"a": [np.zeros(3)]}, protocol=2))
    assert as_plain(read_pickle(data))["a"][0].shape == (3,)


def test_objects_are_refused():
    with pytest.raises(PickleRefusedError, match="not data"):
        there_and_back({"a": pickle.Pickler})
    with pytest.raises(PickleRefusedError):
        there_and_back({1, 2})


def test_containers_that_hold_themselves_or_double_themselves_end():
    loop: list = []
    loop.append(loop)
    with pytest.raises(PickleRefusedError, match="nested"):
        there_and_back(loop)
    doubling: list = []
    for _ in range(15):
        doubling = [doubling] * 10  # 10 ** 15 leaves, 15 lists
    found = there_and_back(doubling)
    assert found[0] is found[9]
