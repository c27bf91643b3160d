"""One loaded version of one model: a Session, its signatures, its cached callables, and who is using it."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from features.arrays import AnyArray
from models.server.engine.tensors import dtype_of, dtype_of_array, from_proto
from models.server.errors import Code, ServingError, from_tensorflow, invalid

DEFAULT_SIGNATURE = "serving_default"
INIT_SIGNATURE = "__saved_model_init_op"
TAG = "serve"
_MAX_CALLABLES = 64
_CALLER_THREAD = -1  # RunOptions.inter_op_thread_pool: no hop to another thread, a fifth faster on a ranking model

logging.getLogger("tensorflow").setLevel(logging.ERROR)  # the v1 loader below warns that it is old; it is what we want


@dataclass(frozen=True)
class TensorSpec:
    """A named tensor of the graph and the number of its element type."""

    name: str
    enum: int


@dataclass(frozen=True)
class Signature:
    """One way to call a model: aliases, in alphabetical order, to tensors. ``proto`` is the SignatureDef."""

    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]
    defaults: dict[str, AnyArray]
    proto: Any

    @classmethod
    def of(cls, proto: Any) -> "Signature":
        return cls(
            inputs={
                alias: TensorSpec(proto.inputs[alias].name, proto.inputs[alias].dtype) for alias in sorted(proto.inputs)
            },
            outputs={
                alias: TensorSpec(proto.outputs[alias].name, proto.outputs[alias].dtype)
                for alias in sorted(proto.outputs)
            },
            defaults={alias: from_proto(proto.defaults[alias], alias) for alias in sorted(proto.defaults)},
            proto=proto,
        )


@dataclass(frozen=True)
class _Call:
    """A compiled path through the graph, the types of its feeds, and where among its values each fetch is."""

    handle: Callable[..., list[Any]]
    dtypes: tuple[np.dtype[Any], ...]
    indices: tuple[int, ...]


class Servable:
    """A loaded version. ``run`` may be called by many threads; ``acquire`` and ``release`` bracket every use."""

    def __init__(self, name: str, version: int, session: Any, signatures: dict[str, Signature]) -> None:
        self.name = name
        self.version = version
        self.signatures = signatures
        self._session = session
        self._callables: OrderedDict[tuple[tuple[str, ...], tuple[str, ...]], _Call] = OrderedDict()
        self._lock = threading.Lock()
        self._users = 0
        self._on_idle: Callable[[], None] | None = None

    def run(self, feeds: Sequence[tuple[str, AnyArray]], fetches: Sequence[str]) -> list[AnyArray]:
        """The values of the tensors named ``fetches`` when those named in ``feeds`` have the given values.

        Raises what TensorFlow raises, as ServingError; INVALID_ARGUMENT when a value has another type than its tensor.
        """
        key = (tuple(name for name, _ in feeds), tuple(fetches))
        arrays = [array for _, array in feeds]
        try:
            call = self._call(key)
            for index, (array, wanted) in enumerate(zip(arrays, call.dtypes, strict=True)):
                if array.dtype != wanted:
                    expected, got = dtype_of_array(np.empty(0, wanted)).name, dtype_of_array(array).name
                    raise invalid(f"Expects arg[{index}] to be {expected} but {got} is provided")
            values = call.handle(*arrays)
        except tf.errors.OpError as error:
            raise from_tensorflow(error) from None
        return [_as_array(values[index]) for index in call.indices]

    def _call(self, key: tuple[tuple[str, ...], tuple[str, ...]]) -> _Call:
        with self._lock:
            if call := self._callables.get(key):
                self._callables.move_to_end(key)
                return call
        call = self._compile(*key)
        with self._lock:
            self._callables[key] = call
            if len(self._callables) > _MAX_CALLABLES:
                self._callables.popitem(last=False)
        return call

    def _compile(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> _Call:
        distinct = list(dict.fromkeys(fetches))
        options = config_pb2.CallableOptions(feed=feeds, fetch=distinct)
        options.run_options.inter_op_thread_pool = _CALLER_THREAD
        handle = self._session._make_callable_from_options(options)
        tensors = (self._session.graph.get_tensor_by_name(name) for name in feeds)
        dtypes = tuple(dtype_of(tensor.dtype.as_datatype_enum).numpy for tensor in tensors)
        return _Call(handle, dtypes, tuple(distinct.index(name) for name in fetches))

    def compile_signatures(self) -> None:
        """Make every signature's callable now, not in its first request; one that can't be made raises for its caller alone."""
        for name, signature in self.signatures.items():
            if name == INIT_SIGNATURE:
                continue
            feeds = tuple(spec.name for spec in signature.inputs.values())
            try:
                self._call((feeds, tuple(spec.name for spec in signature.outputs.values())))
            except (tf.errors.OpError, ServingError):
                logging.getLogger(__name__).info("%s %s: signature %s can't be called", self.name, self.version, name)

    def acquire(self) -> None:
        """One more user. The manager calls it while the version is still listed, so never after ``retire``."""
        with self._lock:
            self._users += 1

    def release(self) -> None:
        """One user less; the last one of a retired version calls `on_idle`."""
        with self._lock:
            self._users -= 1
            on_idle = self._on_idle if self._users == 0 else None
        if on_idle:
            on_idle()

    def retire(self, on_idle: Callable[[], None]) -> None:
        """No new users will come; call ``on_idle`` when the last one has gone (see ``idle``)."""
        with self._lock:
            self._on_idle = on_idle

    @property
    def idle(self) -> bool:
        """Whether nobody is using this version at the moment."""
        return self._users == 0

    def close(self) -> None:
        """Give back the session and all memory of the version."""
        self._callables.clear()
        self._session.close()


def _as_array(value: Any) -> AnyArray:
    """A fetched value as an array; a single string comes as bytes, which numpy would give a type of its own."""
    return np.array(value, dtype=object) if isinstance(value, bytes) else np.asarray(value)


def load(name: str, version: int, path: Path) -> Servable:
    """Load the SavedModel in ``path`` into a Session of its own, with its variables restored and its init op run.

    A Session and not ``tf.saved_model.load``: this finds variables by name, as TensorFlow Serving does, so a model that
    was saved without names (Keras 3 through ``tf.saved_model.save``) fails here as it would there.
    Raises ServingError for whatever is wrong with the folder.
    """
    if not any((path / file).is_file() for file in ("saved_model.pb", "saved_model.pbtxt")):
        raise ServingError(
            Code.NOT_FOUND,
            f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}. "
            "Is the directory there, complete, and readable?",
        )
    graph = tf.Graph()
    threads = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    session = tf.compat.v1.Session(graph=graph, config=threads)
    try:
        with graph.as_default():
            meta_graph = tf.compat.v1.saved_model.load(session, [TAG], str(path))
        signatures = {key: Signature.of(meta_graph.signature_def[key]) for key in sorted(meta_graph.signature_def)}
    except Exception as error:
        session.close()
        raise _load_error(error, path) from None
    servable = Servable(name, version, session, signatures)
    servable.compile_signatures()
    return servable


def _load_error(error: Exception, path: Path) -> ServingError:
    if isinstance(error, ServingError):
        return error
    if isinstance(error, tf.errors.OpError):
        return from_tensorflow(error)
    text = str(error).split("\n", 1)[0]
    if isinstance(error, RuntimeError) and "tags" in text:
        return ServingError(
            Code.NOT_FOUND, f"Could not find meta graph def matching supplied tags: {{ {TAG} }} in {path}"
        )
    code = Code.DATA_LOSS if isinstance(error, OSError) or "parse" in text.lower() else Code.UNKNOWN
    return ServingError(code, f"{type(error).__name__} while loading {path}: {text}")
