"""Reading published weights without running anything in them, and loading them strictly.

Checkpoints of PyTorch Lightning hold the training's configuration beside the weights, as pickled
objects (yacs, omegaconf): `torch.load(weights_only=True)` refuses such a file as a whole. Here a
pickle's names are never looked up: a tensor is described by what was written, a configuration
becomes a `PickledObject` that nobody reads, any other name ends the reading.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from unipose.body.pickled_arrays import (
    DAMAGE,
    MAX_DEPTH,
    PickledObject,
    PickleRefusedError,
    follow_pickle,
)
from unipose.errors import MissingFileError, WeightsError

LARGEST_PICKLE = 200_000_000
"""Bytes of the part of a checkpoint that says where its tensors are."""
MOST_NUMBERS = 100_000_000  # of a file of results: hours of poses, and surfaces
ENTRIES = ("state_dict", "model_pos", "model", "model_state_dict", "net")
"""Where weights lie in a checkpoint: Lightning's, VideoPose3D's, SPIN's and BOA's, CycleAdapt's,
the tokenizers' of T2M-GPT and TokenHMR."""

_STORAGES = {
    "FloatStorage": torch.float32, "DoubleStorage": torch.float64, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}  # fmt: skip

_LEFT_ALONE = (
    "yacs", "omegaconf", "pytorch_lightning", "lightning", "lightning_fabric", "argparse", "typing",
    "pathlib", "numpy", "collections", "copy_reg", "copyreg", "hydra", "hmr2", "tokenhmr", "lib",
    "mmengine", "_codecs",
)  # fmt: skip
"""Packages whose objects lie in real checkpoints beside the weights: recorded, never read."""

_PLAIN = ("set", "frozenset", "list", "dict", "tuple", "int", "float", "bool", "str", "object",
          "slice", "complex", "bytearray", "getattr")  # fmt: skip
"""Names of `builtins` that a configuration may mention; they become records, too."""


def read_checkpoint(path: Path, prefixes: tuple[str, ...] = ("",)) -> dict[str, Tensor]:
    """Return the weights of a .safetensors, .pt, .bin, .pth or .ckpt whose names start like this.

    A Lightning checkpoint's `state_dict` is looked into. Nothing in the file is executed. Raises
    MissingFileError, or WeightsError: damaged, no weights in it, or a pickle with something in it
    that is not data.
    """
    if not path.is_file():
        raise MissingFileError(path, "there is no such file of weights.")
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] == b"PK":
        weights = _read_archive(path, prefixes)
    elif path.suffix == ".safetensors":
        weights = _read_safetensors(path, prefixes)
    else:
        weights = _read_old(path, prefixes)
    if not weights:
        wanted = " or ".join(f"{prefix!r}" for prefix in prefixes)
        raise WeightsError(path, f"it holds no weights whose names start with {wanted}.")
    return weights


def part_of(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the weights under a prefix, without it."""
    return {n.removeprefix(prefix): value for n, value in weights.items() if n.startswith(prefix)}


def load_strictly(module: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Load the weights if they are exactly the module's; else WeightsError names the difference.

    A module on the meta device takes the tensors themselves; another keeps its own number type.
    """
    own = module.state_dict()
    missing = sorted(own.keys() - weights.keys())
    unexpected = sorted(weights.keys() - own.keys())
    if missing or unexpected:
        problem = "; ".join(
            f"{what} {len(names)}: {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
            for what, names in (("missing", missing), ("unexpected", unexpected))
            if names
        )
        raise WeightsError(path, f"the weights are not those of this model ({problem}).")
    for name, value in own.items():
        if value.shape != weights[name].shape:
            raise WeightsError(
                path,
                f"{name} has the shape {tuple(weights[name].shape)}, expected "
                f"{tuple(value.shape)}.",
            )
    nowhere = any(value.is_meta for value in own.values())
    module.load_state_dict(dict(weights), strict=True, assign=nowhere)


def _read_safetensors(path: Path, prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(prefixes)]  # noqa: SIM118
            return {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise WeightsError(path, f"it cannot be read as safetensors ({error}).") from error


def _read_old(path: Path, prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the weights of a file as PyTorch wrote it before version 1.6 (no archive).

    mmpose's published files still are: five pickles (a magic number, a version, what machine it
    was, the content, the keys of its storages), then each storage's length and numbers.
    """
    data = path.read_bytes()
    file = io.BytesIO(data)
    try:
        magic, _, machine = (_next_pickle(file, data)[0] for _ in range(3))
        if magic != _OLD_MAGIC or not isinstance(machine, dict):
            raise PickleRefusedError("it is no checkpoint of PyTorch")
        if not machine.get("little_endian", True):
            raise PickleRefusedError("its numbers are those of a big-endian machine")
        content, storages = _next_pickle(file, data)
        keys, _ = _next_pickle(file, data)
        numbers = _old_storages(data, file.tell(), keys, storages)
        return {
            name: _view(numbers[written.key], written)
            for name, written in _state_dict(content).items()
            if isinstance(written, _Written) and name.startswith(prefixes)
        }
    except (PickleRefusedError, *DAMAGE) as error:
        raise WeightsError(
            path, f"it is not read: {error} (nothing in it was executed)."
        ) from error


_OLD_MAGIC = 0x1950A86A20F9469CFC6C


def _next_pickle(file: io.BytesIO, data: bytes) -> tuple[Any, dict[str, _Written]]:
    """Return what the next pickle holds, and the storages that it refers to."""
    start = file.tell()
    for _ in pickletools.genops(file):
        pass
    part = data[start : file.tell()]
    if len(part) > LARGEST_PICKLE:
        raise PickleRefusedError("its description of the tensors is absurdly large")
    unpickler = _Unpickler(io.BytesIO(part), encoding="latin1")
    return follow_pickle(part, unpickler, most_operations=len(part)), unpickler.storages


def _old_storages(
    data: bytes, start: int, keys: object, storages: Mapping[str, _Written]
) -> dict[str, Tensor]:
    """Return the storages that lie behind the pickles, in the order of their keys."""
    if not isinstance(keys, list) or {*keys} != storages.keys():
        raise PickleRefusedError("its storages are not those that its tensors refer to")
    found = {}
    for key in keys:
        written = storages[key]
        length = int.from_bytes(data[start : start + 8], "little")
        end = start + 8 + length * written.kind.itemsize
        if length != written.length or end > len(data):
            raise PickleRefusedError(f"a storage of {length} numbers, expected {written.length}")
        found[key] = _numbers(data[start + 8 : end], written)
        start = end
    return found


def _state_dict(content: object) -> dict[str, object]:
    """Return what lies under names, in one of a checkpoint's `ENTRIES` or in the file itself."""
    found = content
    for entry in ENTRIES:
        if isinstance(content, dict) and isinstance(content.get(entry), dict):
            found = content[entry]
            break
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(name, str)}


@dataclass(frozen=True, kw_only=True)
class _Written:
    """A tensor as the pickle describes it: a view into one of the archive's storages."""

    key: str
    kind: torch.dtype
    length: int
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def _rebuild_tensor(
    storage: object, offset: object, size: object, stride: object, *_: object
) -> _Written:
    if not isinstance(storage, _Written) or not isinstance(offset, int):
        raise PickleRefusedError("a tensor without a storage")
    for numbers in (size, stride):
        if not isinstance(numbers, tuple) or not all(
            isinstance(n, int) and n >= 0 for n in numbers
        ):
            raise PickleRefusedError("a tensor whose shape is not a shape")
    assert isinstance(size, tuple)
    assert isinstance(stride, tuple)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride)) if all(size) else 0
    if len(size) != len(stride) or offset < 0 or last >= max(1, storage.length):
        raise PickleRefusedError("a tensor that reaches beyond its storage")
    if math.prod(size) > storage.length:
        raise PickleRefusedError("a tensor larger than its storage")
    return _Written(
        key=storage.key,
        kind=storage.kind,
        length=storage.length,
        offset=offset,
        size=size,
        stride=stride,
    )


def _rebuild_parameter(tensor: object, *_: object) -> object:
    return tensor


_TENSORS: dict[tuple[str, str], Callable[..., object]] = {
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
}


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows tensors, dictionaries and records."""

    def __init__(self, file: io.BytesIO, *, encoding: str) -> None:
        super().__init__(file, encoding=encoding)
        self.storages: dict[str, _Written] = {}
        """By key: those that tensors have referred to."""

    def find_class(self, module: str, name: str) -> object:  # type: ignore[override]
        # new ones for each file: a pickle may set attributes of what it names
        if (module, name) in _TENSORS:
            return partial(_TENSORS[module, name])
        if (module, name) == ("collections", "OrderedDict"):
            return type("Ordered", (_Ordered,), {})
        if module == "torch" and name in _STORAGES:
            return name
        plain = module in ("builtins", "__builtin__") and name in _PLAIN
        if plain or module.split(".")[0] in _LEFT_ALONE or module == "torch":
            return type(
                "PickledObject",
                (PickledObject,),
                {"kind": f"{module}.{name}", "append": _forget, "extend": _forget, "add": _forget},
            )
        raise PickleRefusedError(f"it asks for {module}.{name}, which is not data")

    def persistent_load(self, pid: object) -> object:
        # old files add where in another storage this one lies, which no program uses any more
        if (
            not isinstance(pid, tuple)
            or not (len(pid) == 5 or (len(pid) == 6 and pid[5] is None))
            or pid[0] != "storage"
        ):
            raise PickleRefusedError(f"it refers to an object outside the file ({str(pid)[:80]})")
        _, kind, key, _, length = pid[:5]
        if kind not in _STORAGES or not isinstance(key, str) or not isinstance(length, int):
            raise PickleRefusedError("a storage of unknown numbers")
        written = _Written(
            key=key, kind=_STORAGES[kind], length=length, offset=0, size=(), stride=()
        )
        return self.storages.setdefault(key, written)


class _Ordered(dict):
    """An OrderedDict that takes no attributes from the file."""

    def __setstate__(self, state: object) -> None:
        pass


def _forget(self: object, *_: object) -> None:
    """Take what a pickle puts into a record's list, and keep nothing."""


def _read_archive(path: Path, prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the weights of an archive as `torch.save` writes it."""
    with _opened_archive(path) as (content, tensor_of):
        return {
            name: tensor_of(written)
            for name, written in _state_dict(content).items()
            if isinstance(written, _Written) and name.startswith(prefixes)
        }


def read_saved_tables(path: Path) -> object:
    """Return what `torch.save` wrote as plain data: tensors as arrays, what is none as None.

    Nothing is executed. Raises WeightsError, also for containers that hold themselves.
    """
    done: dict[int, object] = {}
    numbers = 0
    with _opened_archive(path) as (content, tensor_of):

        def plain(value: object, depth: int = 0) -> object:
            nonlocal numbers
            if isinstance(value, _Written):
                numbers += math.prod(value.size)
                if numbers > MOST_NUMBERS:
                    raise PickleRefusedError("it holds far more numbers than poses need")
                return tensor_of(value).float().numpy()
            if not isinstance(value, dict | list | tuple):
                return value if isinstance(value, str | int | float) else None
            if depth > MAX_DEPTH or done.get(id(value), value) is None:
                raise PickleRefusedError("containers are nested too deeply")
            if id(value) not in done:
                done[id(value)] = None  # until it is known: it must not hold itself
                if isinstance(value, dict):
                    done[id(value)] = {str(k): plain(v, depth + 1) for k, v in value.items()}
                else:
                    done[id(value)] = [plain(one, depth + 1) for one in value]
            return done[id(value)]

        return plain(content)


@contextmanager
def _opened_archive(path: Path) -> Iterator[tuple[object, Callable[[_Written], Tensor]]]:
    """Give what an archive's pickle describes, and what makes a tensor of a description."""
    try:
        with zipfile.ZipFile(path) as archive:
            described = [
                n for n in archive.namelist() if n.endswith("/data.pkl") and n.count("/") == 1
            ]
            if len(described) != 1:
                raise WeightsError(path, "it is no checkpoint: there is no data.pkl in it.")
            if archive.getinfo(described[0]).file_size > LARGEST_PICKLE:
                raise PickleRefusedError("its description of the tensors is absurdly large")
            data = _stored(archive, described[0])
            unpickler = _Unpickler(io.BytesIO(data), encoding="latin1")
            content = follow_pickle(data, unpickler, most_operations=len(data))
            folder = described[0].removesuffix("data.pkl") + "data/"
            storages: dict[str, Tensor] = {}
            yield content, lambda written: _tensor(archive, folder, written, storages)
    except PickleRefusedError as error:
        raise WeightsError(
            path, f"it is not read: {error} (nothing in it was executed)."
        ) from error
    except (
        zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, NotImplementedError,
        RuntimeError,
    ) as error:  # fmt: skip
        raise WeightsError(path, f"it is cut short or damaged ({error}).") from error


def _stored(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a member, which PyTorch never compresses: it is no larger than its file."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise PickleRefusedError(f"{name} is compressed, which no checkpoint is")
    return archive.read(name)


def _tensor(
    archive: zipfile.ZipFile, folder: str, written: _Written, storages: dict[str, Tensor]
) -> Tensor:
    if written.key not in storages:
        data = _stored(archive, folder + written.key)
        expected = written.length * written.kind.itemsize
        if len(data) != expected:
            raise PickleRefusedError(f"a storage of {len(data)} bytes, expected {expected}")
        storages[written.key] = _numbers(data, written)
    return _view(storages[written.key], written)


def _numbers(data: bytes, written: _Written) -> Tensor:
    """Return a storage's numbers."""
    if not data:
        return torch.empty(0, dtype=written.kind)
    return torch.frombuffer(bytearray(data), dtype=written.kind)


def _view(storage: Tensor, written: _Written) -> Tensor:
    if storage.dtype != written.kind or len(storage) != written.length:
        raise PickleRefusedError("two tensors that do not agree on their storage")
    return storage.as_strided(written.size, written.stride, written.offset).clone()
