"""Networks as ONNX files: written from ours, and run with onnxruntime, ours or others'.

Input and outputs are called as in the public ports of RTMPose and CIGPose (`input`, `simcc_x`,
`simcc_y`; any number of crops at once), so that files can be exchanged with those. Both packages
are an extra: `pip install unipose[onnx]`.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unipose.available_cores import available_cores
from unipose.errors import ConfigError, MissingFileError, WeightsError
from unipose.files.atomic import written_whole
from unipose.wholebody.config import SPLIT, TOLD_BY_NUMBER, WholeBodyConfig
from unipose.wholebody.estimator import KeypointNetwork
from unipose.wholebody.keypoint_head import Columns, Rows

INPUT, OUTPUTS = "input", ("simcc_x", "simcc_y")
OPSET = 17
OUR_NOTE, PEERS_NOTE = "unipose_config", "cigpose_meta"
_OF_SIZE = {len(one): one.name for one in TOLD_BY_NUMBER}


class _Outputs(nn.Module):
    """The network with its two answers as a plain pair."""

    def __init__(self, network: KeypointNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Float[Tensor, "person 3 height width"]) -> tuple[Columns, Rows]:
        """Return the logits."""
        said = self.network(images)
        return said.x, said.y


def export_onnx(network: KeypointNetwork, path: Path) -> Path:
    """Write a network as ONNX with any number of crops; its configuration goes along as a note.

    Raises ConfigError if the package onnx is not installed.
    """
    onnx = extra_package("onnx")
    config = network.config
    crops = torch.zeros(2, 3, config.height_px, config.width_px)
    with written_whole(path) as temporary:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch announces its newer exporter, which needs more
            torch.onnx.export(
                _Outputs(network).eval(),
                (crops,),
                temporary,
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                dynamic_axes={name: {0: "person"} for name in (INPUT, *OUTPUTS)},
                opset_version=OPSET,
                dynamo=False,
            )
        model = onnx.load_model(temporary)
        notes = {
            OUR_NOTE: json.dumps(asdict(config)),
            PEERS_NOTE: json.dumps(
                {"input_w": config.width_px, "input_h": config.height_px, "split_ratio": SPLIT}
            ),
        }
        onnx.helper.set_model_props(model, notes)
        onnx.save_model(model, temporary)
    return path


class OnnxEngine:
    """Runs an ONNX file with onnxruntime: ours, or a public port's of RTMPose or CIGPose."""

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        """Open a file; `threads` 0 leaves it to onnxruntime.

        Raises ConfigError if onnxruntime is not installed, MissingFileError, or WeightsError if the
        file is damaged or holds another kind of network.
        """
        self._session = open_session(path, threads=threads)
        try:
            (given,), outputs = self._session.get_inputs(), self._session.get_outputs()
            notes = self._session.get_modelmeta().custom_metadata_map
            self._input, self._outputs = given.name, [output.name for output in outputs[:2]]
            self.config = _config_of(notes, given.shape, [output.shape for output in outputs])
        except (ValueError, TypeError, KeyError) as error:
            raise WeightsError(
                path, f"is no keypoint network with crops in and SimCC out ({error})."
            ) from error

    def __call__(self, images: Float[Tensor, "person 3 height width"]) -> tuple[Columns, Rows]:
        """Return the logits of normalised crops."""
        x, y = self._session.run(self._outputs, {self._input: images.contiguous().numpy()})
        return torch.from_numpy(x), torch.from_numpy(y)


def _config_of(
    notes: dict[str, str], given: list[Any], outputs: list[list[Any]]
) -> WholeBodyConfig:
    """Return what a file says of itself, or what its shapes tell."""
    if OUR_NOTE in notes:
        return WholeBodyConfig(**json.loads(notes[OUR_NOTE]))
    _, channels, height, width = given
    (_, count, columns), (_, _, rows) = outputs[:2]
    if (channels, columns, rows) != (3, SPLIT * width, SPLIT * height) or count not in _OF_SIZE:
        raise ValueError(f"its input is {given}, its outputs are {outputs}")
    return WholeBodyConfig(keypoints=_OF_SIZE[count], width_px=width, height_px=height)


def exported_engine(network: KeypointNetwork) -> OnnxEngine:
    """Return what runs a network with onnxruntime, exported for this run; raises as both."""
    with TemporaryDirectory() as folder:
        return OnnxEngine(export_onnx(network, Path(folder) / "network.onnx"))


def open_session(path: Path, *, threads: int = 0) -> Any:
    """Return onnxruntime's session of a file; `threads` 0 takes as many as there are cores.

    Raises ConfigError if onnxruntime is not installed, MissingFileError, or WeightsError if the
    file is damaged.
    """
    runtime = extra_package("onnxruntime")
    if not path.is_file():
        raise MissingFileError(path, "there is no such ONNX file.")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads or available_cores()
    options.inter_op_num_threads = 1
    try:
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except onnx_errors() as error:
        said = str(error).splitlines()[0]
        raise WeightsError(path, f"cannot be opened by onnxruntime ({said}).") from error


def onnx_errors() -> tuple[type[Exception], ...]:
    """Return what onnxruntime raises, whose errors derive from Exception alone."""
    state = extra_package("onnxruntime.capi.onnxruntime_pybind11_state")
    own = (kind for kind in vars(state).values() if isinstance(kind, type))
    return (*(kind for kind in own if issubclass(kind, Exception)), ValueError, RuntimeError)


def extra_package(name: str) -> Any:
    """Return an optional package. Raises ConfigError that says how to get it."""
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"ONNX files need the package {name}, which is not installed: pip install unipose[onnx]"
        ) from error
