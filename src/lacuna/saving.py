"""Fitted objects in a file that holds data only: one zip of JSON for the structure and .npy for the arrays.

Reading it runs nothing that the file chooses, as unpickling would. The file can name classes of Lacuna and
layers of torch, which are created without their constructor and get their attributes back, and estimators of
scikit-learn, which go through skops with a list of what they may be made of. Anything else is an error on
writing that says where it was found. An object that holds such things (compiled functions, graphs) leaves
them out in ``__getstate__`` and makes them again in ``__setstate__``, as it would to be copied.
"""

from __future__ import annotations

import datetime
import importlib
import io
import json
import math
import operator
import sys
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import skops.io
from sklearn.base import BaseEstimator

from lacuna.errors import UserError, require
from lacuna.files import whole
from lacuna.methods.base import Method

FORMAT = "lacuna 3"  # 2: modules moved; 3: rows are found by their content
STRUCTURE = "structure.json"
SKLEARN_PARTS = [  # what estimators are made of, beyond what skops trusts by itself
    "functools.partial",
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.impute._iterative._ImputerTriplet",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
]
# What a file may unpack to: a member of more bytes than these at most so many times what it takes in the file. Arrays
# that compress better are stored as they are, so that no small file can ask for much memory.
FREE_BYTES, MOST_SQUEEZED = 2**26, 50
DAMAGED = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError, TypeError),
    *(ValueError, zipfile.BadZipFile, zlib.error),
)


def save_object(value: Any, path: Path) -> None:
    """Write ``value`` to ``path``, whole or not at all.

    Raises:
        UserError: it holds something that cannot be saved.
        StorageError: the file cannot be written.
    """
    writer = _Writer()
    structure = {"format": FORMAT, "value": writer.node(value, "")}
    with whole(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(STRUCTURE, json.dumps(structure))
        for name, content in writer.members.items():
            is_large = len(content) > FREE_BYTES
            squeezed = is_large and len(zlib.compress(content, 1)) * MOST_SQUEEZED < len(content)
            archive.writestr(name, content, zipfile.ZIP_STORED if squeezed else zipfile.ZIP_DEFLATED)


def load_object(path: Path, trusted: Sequence[type] = ()) -> Any:
    """Read what ``save_object`` wrote.

    Args:
        trusted: further classes that the file may name, such as a method of your own.

    Raises:
        UserError: there is no such file, ``save_object`` did not write it, or it names a class that is not trusted.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive)
        structure = json.loads(members.get(STRUCTURE, b"{}"))
    except DAMAGED as error:
        raise UserError(f"{path} cannot be read as a saved model: {_line(error)}") from None
    form = structure.get("format") if isinstance(structure, dict) else None
    if form != FORMAT:
        raise UserError(f"{path} is of format {form!r}; this version reads {FORMAT!r}")
    try:
        return _Reader(members, {class_name(cls): cls for cls in trusted}).value(structure["value"])
    except UserError as error:
        raise type(error)(f"{path}: {error}") from None
    except DAMAGED as error:
        raise UserError(f"{path} is damaged: {_line(error)}") from error


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _members(archive: zipfile.ZipFile) -> dict[str, bytes]:
    """The content of every member, of which none unpacks to far more than its share of the file."""
    for info in archive.infolist():
        if info.file_size > FREE_BYTES and info.file_size > MOST_SQUEEZED * info.compress_size:
            size = f"{info.file_size / 1e9:.1f} GB"
            raise ValueError(f"its member {info.filename!r} would unpack to {size}, {MOST_SQUEEZED} times its size")
    return {info.filename: archive.read(info) for info in archive.infolist()}


def _read_array(content: bytes) -> np.ndarray:
    """An array of the .npy format, after a look at whether its cells are there."""
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(stream)
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize > len(content):
        raise ValueError(f"an array of shape {shape} has no cells")
    stream.seek(0)
    return np.load(stream, allow_pickle=False)


def _read_estimator(content: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        _members(archive)
    return skops.io.loads(content, trusted=SKLEARN_PARTS)


# --- what can be saved beside plain values, lists, dicts, arrays and objects ----------------------------------


class Codec(NamedTuple):
    """Values of one type, taken apart into simpler ones and made again."""

    type: type
    take: Callable[[Any], Any]
    make: Callable[[Any], Any]


def _make_generator(parts: tuple[str, dict[str, Any]]) -> np.random.Generator:
    name, state = parts
    if name not in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"):
        raise UserError(f"the saved model names an unknown random generator {name!r}")
    bits = getattr(np.random, name)()
    bits.state = state
    return np.random.Generator(bits)


def _make_objects(parts: tuple[tuple[int, ...], list[Any]]) -> np.ndarray:
    shape, cells = parts
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array.reshape(shape)


KINDS = {
    "tuple": Codec(tuple, list, tuple),
    "set": Codec(set, list, set),
    "frozenset": Codec(frozenset, list, frozenset),
    "slice": Codec(slice, operator.attrgetter("start", "stop", "step"), lambda parts: slice(*parts)),
    "timestamp": Codec(pd.Timestamp, pd.Timestamp.isoformat, pd.Timestamp),
    "timedelta": Codec(pd.Timedelta, pd.Timedelta.isoformat, pd.Timedelta),
    "datetime": Codec(datetime.datetime, datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    "date": Codec(datetime.date, datetime.date.isoformat, datetime.date.fromisoformat),
    "decimal": Codec(Decimal, str, Decimal),
    "dtype": Codec(np.dtype, lambda dtype: dtype.str, np.dtype),
    "scalar": Codec(np.generic, np.asarray, lambda array: array[()]),
    "generator": Codec(
        np.random.Generator,
        lambda g: (type(g.bit_generator).__name__, g.bit_generator.state),
        _make_generator,
    ),
}
OPEN = ("dtype", "scalar")  # whose subclasses are saved as what they are


def _tensor_kinds() -> dict[str, Codec]:
    """The same for tensors and what belongs to them."""
    require("this saved model", "deep", "torch")
    from lacuna.backend import saved_tensors

    return {tag: Codec(*parts) for tag, parts in saved_tensors.KINDS.items()}


def _kinds() -> dict[str, Codec]:
    """Of all values that there can be: where torch is not imported, there are no tensors."""
    return KINDS | (_tensor_kinds() if sys.modules.get("torch") else {})


def class_name(cls: type) -> str:
    """
    >>> class_name(Codec)
    'lacuna.saving:Codec'
    """
    return f"{cls.__module__}:{cls.__qualname__}"


def _known(cls: type) -> bool:
    """Whether a file may name this class."""
    if cls.__module__.startswith("torch.nn."):
        from torch.nn import Module

        return issubclass(cls, Module)
    return cls.__module__.startswith("lacuna.")


def _find(name: str, trusted: Mapping[str, type]) -> type:
    """The class of this name; only modules of Lacuna and torch.nn are ever imported for it."""
    if name in trusted:
        return trusted[name]
    module, _, path = name.partition(":")
    if module.startswith(("lacuna.", "torch.nn.")):
        try:
            cls = operator.attrgetter(path)(importlib.import_module(module))
        except (ImportError, AttributeError) as error:
            if getattr(error, "name", None) == "torch":
                require(f"this saved model, of {path},", "deep", "torch")
            raise UserError(f"the saved model needs {name}, which this version does not have") from None
        if isinstance(cls, type) and _known(cls):
            return cls
    raise UserError(f"the saved model names {name}, which is not trusted: if it is yours, pass it in trusted=")


class _Writer:
    """Values -> JSON: as they are, or [tag, ...]; arrays and estimators become members of the zip."""

    def __init__(self) -> None:
        self.kinds = _kinds()
        self.members: dict[str, bytes] = {}
        self.inside: set[int] = set()  # ids of what is being written, to notice what holds itself

    def node(self, value: Any, at: str) -> Any:
        """The node of ``value``, which was found at the attribute path ``at``."""
        if value is None or type(value) in (bool, int, float, str):
            return value
        if id(value) in self.inside:
            raise UserError(f"{at} cannot be saved: it holds itself")
        self.inside.add(id(value))
        try:
            return self._tagged(value, at)
        finally:
            self.inside.discard(id(value))

    def _tagged(self, value: Any, at: str) -> list[Any]:
        if type(value) is list:
            return ["list", *(self.node(x, f"{at}[{i}]") for i, x in enumerate(value))]
        if type(value) in (dict, OrderedDict):
            pairs = ([self.node(k, at), self.node(v, f"{at}[{k!r}]")] for k, v in value.items())
            return ["dict" if type(value) is dict else "ordered dict", *pairs]
        for tag, kind in self.kinds.items():
            if type(value) is kind.type or (tag in OPEN and isinstance(value, kind.type)):
                return [tag, self.node(kind.take(value), at)]
        return self._array(value, at) if type(value) is np.ndarray else self._object(value, at)

    def _array(self, value: np.ndarray, at: str) -> list[Any]:
        if value.dtype == object:
            return ["objects", self.node((value.shape, value.ravel().tolist()), at)]
        content = io.BytesIO()
        np.save(content, value, allow_pickle=False)
        return ["array", self._member(content.getvalue(), ".npy")]

    def _object(self, value: Any, at: str) -> list[Any]:
        cls = type(value)
        if isinstance(value, BaseEstimator) and cls.__module__.startswith("sklearn."):
            return ["sklearn", self._estimator(value, at)]
        if not _known(cls) and not isinstance(value, Method):
            raise UserError(f"{at} cannot be saved: it is of type {class_name(cls)}")
        state = value.__getstate__() or {}
        return ["object", class_name(cls), [[k, self.node(v, f"{at}.{k}")] for k, v in state.items()]]

    def _estimator(self, value: BaseEstimator, at: str) -> str:
        content = skops.io.dumps(value)
        if strange := set(skops.io.get_untrusted_types(data=content)) - set(SKLEARN_PARTS):
            raise UserError(f"{at} cannot be saved: it is made of {', '.join(sorted(strange))}")
        return self._member(content, ".skops")

    def _member(self, content: bytes, suffix: str) -> str:
        name = f"{len(self.members)}{suffix}"
        self.members[name] = content
        return name


class _Reader:
    def __init__(self, members: Mapping[str, bytes], trusted: Mapping[str, type]) -> None:
        self.members, self.trusted = members, trusted
        self.special: dict[str, Callable[..., Any]] = {
            "list": lambda *parts: [self.value(part) for part in parts],
            "dict": lambda *pairs: {self.value(key): self.value(part) for key, part in pairs},
            "ordered dict": lambda *pairs: OrderedDict((self.value(k), self.value(v)) for k, v in pairs),
            "objects": lambda part: _make_objects(self.value(part)),
            "array": lambda name: _read_array(self.members[name]),
            "sklearn": lambda name: _read_estimator(self.members[name]),
            "object": self._object,
        }

    def value(self, node: Any) -> Any:
        if not isinstance(node, list):
            return node
        tag, *parts = node
        if tag in self.special:
            return self.special[tag](*parts)
        kind = KINDS.get(tag) or _tensor_kinds()[tag]
        return kind.make(self.value(parts[0]))

    def _object(self, name: str, attributes: list[Any]) -> Any:
        cls: Any = _find(name, self.trusted)
        made = cls.__new__(cls)
        state = {key: self.value(node) for key, node in attributes}
        for key in state:
            if not isinstance(key, str) or key.startswith("__") or callable(getattr(cls, key, None)):
                raise UserError(f"the saved model replaces {key!r} of {name}, which is not data")
        if hasattr(made, "__setstate__"):
            made.__setstate__(state)
        else:
            made.__dict__.update(state)
        return made
