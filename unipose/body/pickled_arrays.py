"""Arrays out of a pickle without running it: every object becomes a record of what was written.

The official SMPL files are Python 2 pickles of numpy arrays, scipy sparse matrices and chumpy
containers; several data sets come as pickled dictionaries and lists of arrays. A pickle is a
program; here its names are never looked up. Each name on a short list stands for a
`PickledObject` that only keeps the arguments and the state it was given, any other name ends the
reading, and what is then needed is rebuilt by this module from plain bytes and shapes.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import struct
from typing import Any, ClassVar

import numpy as np
from numpy import ndarray

MAX_OPERATIONS = 1_000_000
"""A body file's pickle has some hundreds of operations."""

MAX_ELEMENTS = 500_000_000
"""Of one array; SMPL-X's largest has 15 million."""

_KINDS: dict[tuple[str, str], str] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): "array" for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): "scalar" for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): "buffer" for core in ("core", "_core")},
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    **{
        (f"scipy.sparse.{dot}{layout}", f"{layout}_{kind}"): layout
        for dot in ("", "_")
        for layout in ("csc", "csr", "coo")
        for kind in ("matrix", "array")
    },
    ("copy_reg", "_reconstructor"): "object",
    ("copyreg", "_reconstructor"): "object",
    ("__builtin__", "object"): "plain",
    ("builtins", "object"): "plain",
    ("__builtin__", "set"): "set",
    ("builtins", "set"): "set",
    ("_codecs", "encode"): "bytes",
    ("collections", "OrderedDict"): "mapping",
    ("collections", "defaultdict"): "mapping",
    ("__builtin__", "dict"): "plain",
    ("builtins", "dict"): "plain",
}
"""Names that a pickle may use, and the kind of record each stands for."""

_LEFT_ALONE = ("chumpy", "omegaconf", "typing")
"""Packages whose objects lie in real files beside the arrays: recorded, and rarely asked for."""

_NUMBER_TYPE = re.compile(r"[fiu][1248]|b1")
_TEXT_TYPE = re.compile(r"[US]\d{1,4}")
MAX_DEPTH = 20
"""Of containers within containers."""


class PickleRefusedError(ValueError):
    """A pickle holds something that is not an array, or cannot be followed."""


class PickledObject:
    """What a pickle said about one object; nothing is done with it."""

    kind: ClassVar[str] = ""
    args: tuple[object, ...]
    state: object
    items: dict[object, object]

    def __new__(cls, *args: object) -> PickledObject:  # noqa: D102
        record = super().__new__(cls)
        record.args, record.state, record.items = args, None, {}
        return record

    def __setstate__(self, state: object) -> None:
        self.state = state

    def __setitem__(self, key: object, value: object) -> None:
        self.items[key] = value


def record_type(module: str, name: str, *, leave_alone: bool = False) -> type[PickledObject]:
    """Return the record for what a pickle calls `module.name`, which is never looked up.

    `leave_alone`: also for names that are not known; else PickleRefusedError.
    """
    kind = _KINDS.get((module, name))
    package = module.split(".")[0]
    if kind is None and (package in _LEFT_ALONE or leave_alone):
        kind = f"{package} {name}"
    if kind is None:
        raise PickleRefusedError(f"it asks for {module}.{name}, which is not data")
    return type("PickledObject", (PickledObject,), {"kind": kind})


class _RecordingUnpickler(pickle.Unpickler):
    """An unpickler that knows records only."""

    leave_alone = False

    def find_class(self, module: str, name: str) -> type[PickledObject]:
        return record_type(module, name, leave_alone=self.leave_alone)

    def persistent_load(self, pid: object) -> object:
        raise PickleRefusedError(f"it refers to an object outside the file ({pid!r})")


DAMAGE = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, KeyError, IndexError,
    OverflowError, MemoryError, RecursionError, struct.error,
)  # fmt: skip
"""What unpickling raises for files that are cut short or damaged."""


def read_pickle(
    data: bytes, *, leave_alone: bool = False, most_operations: int = MAX_OPERATIONS
) -> object:
    """Return what the pickle holds, with records in place of objects. Executes nothing.

    Raises PickleRefusedError if it names anything but arrays and their containers (unless
    `leave_alone`: those are records too), or is damaged.
    """
    unpickler = _RecordingUnpickler(io.BytesIO(data), encoding="latin1")
    unpickler.leave_alone = leave_alone
    return follow_pickle(data, unpickler, most_operations=most_operations)


def follow_pickle(
    data: bytes, unpickler: pickle.Unpickler, *, most_operations: int = MAX_OPERATIONS
) -> object:
    """Return what `unpickler`, which reads `data`, makes of it; it must look up no name.

    Raises PickleRefusedError if it is damaged, or asks for more memory or work than a pickle that
    a program wrote.
    """
    try:
        for count, (operation, argument, _) in enumerate(pickletools.genops(data)):
            # a place in the memo beyond the file's own length would only cost memory
            if "PUT" in operation.name and int(argument or 0) > len(data):
                raise PickleRefusedError("it is not a pickle that a program wrote")
            if count > most_operations:
                raise PickleRefusedError(f"it has more than {most_operations:,} operations")
        return unpickler.load()
    except PickleRefusedError:
        raise
    except DAMAGE as error:
        raise PickleRefusedError(f"it is cut short or damaged ({error})") from error


def as_array(value: object, *, depth: int = 0) -> ndarray:
    """Return the array that a record describes (dense, if it is sparse).

    Raises PickleRefusedError if it describes none.
    """
    if depth > 10:
        raise PickleRefusedError("containers are nested too deeply")
    if isinstance(value, ndarray):
        return value
    if not isinstance(value, PickledObject):
        raise PickleRefusedError(f"expected an array, found {type(value).__name__}")
    kind, state = _kind_of(value), value.state
    if kind == "array":
        # numpy: (version, shape, type, Fortran order, bytes); the first is missing in old files
        return array_from_parts(*_tuple_of(state, at_least=4)[-4:], depth=depth)
    if kind == "buffer":
        data, number, shape, order = _tuple_of(value.args, at_least=4)[:4]
        return array_from_parts(shape, number, order == "F", data, depth=depth)
    if not isinstance(state, dict):
        raise PickleRefusedError(f"expected an array, found {kind or 'an object'} without content")
    parts: dict[Any, Any] = state
    if kind in ("csc", "csr", "coo"):
        return _from_sparse(kind, parts, depth=depth)
    if kind.startswith("chumpy"):
        return _from_chumpy(kind, parts, depth=depth)
    raise PickleRefusedError(f"expected an array, found {kind}")


def as_plain(value: object, *, leave_out: bool = False) -> Any:
    """Return dictionaries, lists, text, numbers and arrays for what a pickle said.

    An array of Python objects becomes the list of them (one of shape () the object itself). Raises
    PickleRefusedError for an object that is none of these, and for containers that are nested too
    deeply or hold themselves; with `leave_out`, an entry of a dictionary that does becomes None.
    """
    return _plain(value, {}, 0, leave_out)


_PENDING = object()


def _plain(value: Any, done: dict[int, Any], depth: int, leave_out: bool) -> Any:
    """Return `value` as plain data; what was met before (`done`, by identity) is not redone."""
    if value is None or isinstance(value, (bool, int, float, str, bytes, ndarray)):
        return value
    if depth > MAX_DEPTH or done.get(id(value)) is _PENDING:
        raise PickleRefusedError("containers are nested too deeply")
    if id(value) not in done:
        done[id(value)] = _PENDING
        done[id(value)] = _container(value, done, depth + 1, leave_out)
    return done[id(value)]


def _key(key: Any) -> str | int | float | bytes:
    if isinstance(key, PickledObject) and key.kind == "scalar":
        key = _plain(key, {}, 0, False)
    if not isinstance(key, (str, int, float, bytes)):
        raise PickleRefusedError("a dictionary whose keys are neither words nor numbers")
    return key


def _entry(value: Any, done: dict[int, Any], depth: int, leave_out: bool) -> Any:
    try:
        return _plain(value, done, depth, leave_out)
    except PickleRefusedError:
        if not leave_out:
            raise
        return None


def _container(value: Any, done: dict[int, Any], depth: int, leave_out: bool) -> Any:
    if isinstance(value, PickledObject) and value.kind == "mapping":
        value = value.items
    if isinstance(value, dict):
        return {_key(k): _entry(item, done, depth, leave_out) for k, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, done, depth, leave_out) for item in value]
    if not isinstance(value, PickledObject):
        raise PickleRefusedError(f"expected plain data, found {type(value).__name__}")
    if value.kind == "bytes":
        return _as_bytes(value)
    if value.kind == "scalar":
        number, data = _tuple_of(value.args, at_least=2)[:2]
        return array_from_parts((), number, False, data, depth=0).item()
    if value.kind == "array":
        shape, number, fortran, data = _tuple_of(value.state, at_least=4)[-4:]
    elif value.kind == "buffer":
        data, number, shape, order = _tuple_of(value.args, at_least=4)[:4]
        fortran = order == "F"
    else:
        return as_array(value)
    code = str(number.args[0]) if isinstance(number, PickledObject) and number.args else ""
    if code[:1] == "O" and isinstance(data, list):
        items = _plain(data, done, depth, leave_out)
        return items[0] if shape == () and len(items) == 1 else items
    return array_from_parts(shape, number, fortran, data, depth=0, text=code[:1] in ("U", "S"))


def _kind_of(record: PickledObject) -> str:
    """Return a record's kind, looking through copyreg's way of writing objects."""
    if record.kind == "object" and record.args:
        written = record.args[0]
        if isinstance(written, type) and issubclass(written, PickledObject):
            return written.kind
    return record.kind


def _tuple_of(value: object, *, at_least: int) -> tuple[Any, ...]:
    if not isinstance(value, tuple) or len(value) < at_least:
        raise PickleRefusedError("an array without shape, type and content")
    return value


def array_from_parts(
    shape: Any, number: Any, fortran: Any, data: Any, *, depth: int, text: bool = False
) -> ndarray:
    """Return the array of these raw parts, after checking that they fit each other."""
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise PickleRefusedError("an array whose shape is not a shape")
    if not isinstance(number, PickledObject) or number.kind != "dtype" or not number.args:
        raise PickleRefusedError("an array without a type of numbers")
    code = str(number.args[0])
    size = 1
    for length in shape:
        size *= length
    if code[:1] == "O":  # an array of one object is how numpy saves a sparse matrix in an .npz
        if size == 1 and isinstance(data, list) and len(data) == 1:
            return as_array(data[0], depth=depth + 1)
        raise PickleRefusedError("an array of objects where numbers were expected")
    if not (_TEXT_TYPE if text else _NUMBER_TYPE).fullmatch(code):
        raise PickleRefusedError(f"an array of {code!r} where numbers were expected")
    order = number.state[1] if isinstance(number.state, tuple) and len(number.state) > 1 else "|"
    kind = np.dtype(code).newbyteorder(order if order in ("<", ">") else "=")
    raw = _as_bytes(data)
    if size > MAX_ELEMENTS or len(raw) != size * kind.itemsize:
        raise PickleRefusedError(f"an array of shape {shape} with {len(raw)} bytes of content")
    array = np.frombuffer(raw, kind).reshape(shape, order="F" if fortran else "C")
    return array.astype(kind.newbyteorder("="))


def _as_bytes(data: Any) -> bytes:
    """Return raw content, which Python 2 wrote as text and protocol 2 as encoded text."""
    if isinstance(data, PickledObject) and data.kind == "bytes" and data.args:
        data = data.args[0]
    if isinstance(data, str):
        try:
            return data.encode("latin1")
        except UnicodeEncodeError as error:
            raise PickleRefusedError("an array whose content is text") from error
    if isinstance(data, (bytes, bytearray)):
        return bytes(data)
    raise PickleRefusedError("an array without content")


def _from_sparse(layout: str, parts: dict[Any, Any], *, depth: int) -> ndarray:
    """Return a scipy sparse matrix as a dense array."""
    from scipy import sparse

    shape = parts.get("_shape", parts.get("shape"))
    if (
        not isinstance(shape, tuple)
        or len(shape) != 2
        or not all(isinstance(n, int) and n >= 0 for n in shape)
        or shape[0] * shape[1] > MAX_ELEMENTS
    ):
        raise PickleRefusedError("a sparse matrix whose shape is not a shape")
    names = ("row", "col") if layout == "coo" else ("indices", "indptr")
    try:
        values, first, second = (
            as_array(parts[name], depth=depth + 1) for name in ("data", *names)
        )
        if layout == "coo":
            return sparse.coo_array((values, (first, second)), shape=shape).toarray()
        build = sparse.csc_array if layout == "csc" else sparse.csr_array
        matrix = build((values, first, second), shape=shape)
        matrix.check_format(full_check=True)
        return matrix.toarray()
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise PickleRefusedError(f"a sparse matrix that does not fit together ({error})") from error


def _from_chumpy(kind: str, parts: dict[Any, Any], *, depth: int) -> ndarray:
    """Return what a chumpy container holds: plain ones, selections and new shapes."""
    name = kind.removeprefix("chumpy ")
    try:
        if name == "Ch":
            return as_array(parts["x"], depth=depth + 1)
        inner = as_array(parts["a"], depth=depth + 1)
        if name == "Select":
            chosen = inner.ravel()[as_array(parts["idxs"], depth=depth + 1).astype(np.int64)]
            return chosen.reshape(parts.get("preferred_shape", chosen.shape))
        if name == "Reshape":
            return inner.reshape(parts["newshape"])
        if name == "transpose":
            return inner.transpose(parts.get("axes"))
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise PickleRefusedError(f"a chumpy container without its array ({error!r})") from error
    raise PickleRefusedError(f"a chumpy {name}, which is a computation and not an array")
