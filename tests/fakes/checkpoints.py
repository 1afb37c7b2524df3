"""Checkpoints as PyTorch Lightning writes them: weights beside pickled objects of a training."""

from __future__ import annotations

import io
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch


def save_lightning(path: Path, state: dict[str, torch.Tensor]) -> None:
    """Write a checkpoint with a yacs config in it, as HMR 2.0 and TokenHMR publish theirs."""
    module = types.ModuleType("yacs")
    config = types.ModuleType("yacs.config")

    class CfgNode(dict):
        pass

    CfgNode.__module__, CfgNode.__qualname__ = "yacs.config", "CfgNode"
    config.CfgNode = CfgNode
    sys.modules |= {"yacs": module, "yacs.config": config}
    try:
        settings = CfgNode(MODEL=CfgNode(IMAGE_SIZE=256))
        settings.__dict__["__immutable__"] = True
        content = {
            "epoch": 35,
            "global_step": 1_000_000,
            "pytorch-lightning_version": "1.8.1",
            "state_dict": state,
            "hyper_parameters": {"cfg": settings},
            "optimizer_states": [{"state": {}, "param_groups": [{"lr": 1e-5}]}],
        }
        torch.save(content, path)
    finally:
        for name in ("yacs", "yacs.config"):
            del sys.modules[name]


def save_mmengine(path: Path, state: dict[str, torch.Tensor], *, archive: bool) -> None:
    """Write a checkpoint of mmpose: published ones in PyTorch's old format, raw ones as archives.

    Beside the weights lie numpy arrays and objects of mmengine, methods among them.
    """
    buffers = types.ModuleType("mmengine.logging.history_buffer")

    class HistoryBuffer:
        def __init__(self) -> None:
            self._log_history = np.arange(3.0)
            self.statistics_methods = {"mean": HistoryBuffer.mean}

        def mean(self) -> float:
            return float(self._log_history.mean())

    HistoryBuffer.__module__ = buffers.__name__
    HistoryBuffer.__qualname__ = "HistoryBuffer"
    HistoryBuffer.mean.__module__ = buffers.__name__
    HistoryBuffer.mean.__qualname__ = "HistoryBuffer.mean"
    buffers.HistoryBuffer = HistoryBuffer
    parents = ("mmengine", "mmengine.logging")
    sys.modules |= {name: types.ModuleType(name) for name in parents}
    sys.modules[buffers.__name__] = buffers
    try:
        content = {
            "meta": {"epoch": 420, "dataset_meta": {"sigmas": np.array([0.026, 0.025])}},
            "state_dict": OrderedDict(state),
            "message_hub": {"log_scalars": {"loss": HistoryBuffer()}},
        }
        torch.save(content, path, _use_new_zipfile_serialization=archive)
    finally:
        for name in (*parents, buffers.__name__):
            del sys.modules[name]


class Hostile:
    """Writes a file when it is unpickled by a reader that runs what it reads."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple:
        return (exec, (f"open({str(self.canary)!r}, 'w').close()",))


def save_hostile(path: Path, canary: Path, *, archive: bool) -> None:
    """Write a checkpoint whose pickle runs code, as an archive or in PyTorch's old format."""
    content = {"state_dict": {"backbone.pos_embed": torch.zeros(2)}, "extra": Hostile(canary)}
    torch.save(content, path, _use_new_zipfile_serialization=archive)


def rewrite_pickle(path: Path, data: bytes) -> None:
    """Put another pickle into a checkpoint's archive."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, data if name.endswith("data.pkl") else content)
    path.write_bytes(out.getvalue())


def pickled(content: object) -> bytes:
    return pickle.dumps(content, protocol=2)
