"""The base language model out of its package: found, checked, written whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from platformdirs import user_cache_dir
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.fakes.tiny_chat_model import tiny_chat_model
from unipose.errors import MissingFileError, WeightsError
from unipose.language import base_model


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNIPOSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Packaged:
    """A file of a package, as importlib.metadata lists it."""

    name = base_model.GGUF

    def __init__(self, path: Path) -> None:
        self.path = path

    def locate(self) -> Path:
        return self.path


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(base_model, "PACKAGE", "llm-that-nobody-has")
    with pytest.raises(MissingFileError, match="make setup"):
        base_model.base_folder()


def test_another_file_under_its_name_is_refused(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / base_model.GGUF).write_bytes(b"GGUF, but another one")
    monkeypatch.setattr(base_model, "files", lambda _: [Packaged(tmp_path / base_model.GGUF)])
    with pytest.raises(WeightsError, match="SHA-256"):
        base_model.base_folder()
    assert not own_cache.exists()


def test_a_conversion_that_fails_leaves_nothing_behind(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / base_model.GGUF).write_bytes(b"no GGUF at all")
    monkeypatch.setattr(base_model, "_packaged", lambda: tmp_path / base_model.GGUF)
    with pytest.raises(WeightsError, match="cannot be converted"):
        base_model.base_folder()
    assert list(own_cache.iterdir()) == []


def test_what_was_converted_is_taken_from_the_cache(own_cache: Path):
    name = f"{base_model.NAME}-{base_model.GGUF_SHA256[:12]}-{base_model.LAYOUT}"
    (own_cache / name).mkdir(parents=True)
    (own_cache / name / "config.json").write_text("{}")
    assert base_model.base_folder() == own_cache / name


def test_a_folder_without_its_config_is_written_anew(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
):
    name = f"{base_model.NAME}-{base_model.GGUF_SHA256[:12]}-{base_model.LAYOUT}"
    (own_cache / name).mkdir(parents=True)
    (own_cache / name / "model.safetensors").write_bytes(b"half")
    network, template = tiny_chat_model()
    network.bfloat16()
    monkeypatch.setattr(base_model, "_packaged", lambda: tmp_path / base_model.GGUF)
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *_, **__: network)
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *_, **__: template.text)
    folder = base_model.base_folder()
    monkeypatch.undo()
    again = AutoModelForCausalLM.from_pretrained(folder)
    torch.testing.assert_close(again.lm_head.weight, network.lm_head.weight)


def test_the_cache_is_the_platforms_unless_it_is_given(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("UNIPOSE_CACHE")
    assert base_model.cache_folder() == Path(user_cache_dir("unipose"))
    monkeypatch.setenv("UNIPOSE_CACHE", "~/elsewhere")
    assert base_model.cache_folder() == Path.home() / "elsewhere"
