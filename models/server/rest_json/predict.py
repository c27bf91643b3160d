"""The body of a predict request: a JSON object to named arrays.

Row format, ``instances``: a list with one value or one object an example; arrays get the number of examples as their
first dimension. Columnar format, ``inputs``: whole arrays, alone or by name.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from features.arrays import AnyArray
from models.server.engine.servable import TensorSpec
from models.server.engine.tensors import DType, dtype_of
from models.server.errors import ServingError, invalid
from models.server.rest_json.error_text import describe, format_error
from models.server.rest_json.values import Column, in_bulk, is_base64


class Format(Enum):
    """The layout of a request's tensors, and so of its answer's."""

    ROW = "predictions"
    COLUMNAR = "outputs"


def signature_name(document: Mapping[str, Any]) -> str:
    """The ``signature_name`` of a request, "" if it has none. Raises INVALID_ARGUMENT if it is no string."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise format_error(document, "not formatted correctly. 'signature_name' key must be a string value.")
    return name


def read_inputs(document: dict[str, Any], inputs: Mapping[str, TensorSpec]) -> tuple[Format, dict[str, AnyArray]]:
    """The arrays in a request for a signature that takes ``inputs``. Raises INVALID_ARGUMENT, naming the element."""
    dtypes = {alias: dtype_of(spec.enum) for alias, spec in inputs.items()}
    if "instances" in document and "inputs" in document:
        raise format_error(
            document, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        )
    if "instances" in document:
        instances = document["instances"]
        if not isinstance(instances, list):
            raise format_error(document, "Expecting 'instances' to be an list/array")
        if not instances:
            raise format_error(document, "No values in 'instances' array")
        return Format.ROW, _rows(instances, dtypes)
    if "inputs" in document:
        return Format.COLUMNAR, _columns(document["inputs"], dtypes)
    raise invalid("Missing 'inputs' or 'instances' key")


def _rows(instances: list[Any], dtypes: Mapping[str, DType]) -> dict[str, AnyArray]:
    if not isinstance(instances[0], dict) and len(dtypes) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    if _is_named(instances[0]):
        return _rows_in_bulk(instances, dtypes) or _named_rows(instances, dtypes)
    alias, dtype = next(iter(dtypes.items()))
    array = in_bulk(instances, dtype)
    return {alias: array} if array is not None else _plain_rows(instances, alias, dtype)


def _rows_in_bulk(instances: list[Any], dtypes: Mapping[str, DType]) -> dict[str, AnyArray] | None:
    """All columns of a list of objects with the right keys and plain values; None if it is anything else."""
    try:
        if set(map(len, instances)) != {len(dtypes)}:
            return None
        columns = {alias: [row[alias] for row in instances] for alias in dtypes}
    except (KeyError, TypeError, IndexError):
        return None
    arrays: dict[str, AnyArray] = {}
    for alias, dtype in dtypes.items():
        array = in_bulk(columns[alias], dtype)
        if array is None:
            return None
        arrays[alias] = array
    return arrays


def _named_rows(instances: list[Any], dtypes: Mapping[str, DType]) -> dict[str, AnyArray]:
    columns = {alias: Column(dtype) for alias, dtype in dtypes.items()}
    for index, element in enumerate(instances):
        if not _is_named(element):
            raise invalid(f"Expecting object but got list at item {index} of input list")
        for key, value in element.items():
            try:
                if key not in columns:
                    raise invalid(f"JSON object: does not have named input: {key}")
                columns[key].add(value)
            except ServingError as error:
                raise invalid(
                    f"Failed to process element: {index} key: {key} of 'instances' list. Error: {error.status_text}"
                ) from None
        if element.keys() != dtypes.keys():
            raise invalid(
                f"Failed to process element: {index} of 'instances' list. JSON object: {describe(element)} "
                f"keys must be equal to: {','.join(sorted(dtypes))}"
            )
    return {alias: column.batch() for alias, column in columns.items()}


def _plain_rows(instances: list[Any], alias: str, dtype: DType) -> dict[str, AnyArray]:
    column = Column(dtype)
    for index, element in enumerate(instances):
        if _is_named(element):
            raise invalid(f"Expecting value/list but got object at item {index} of input list")
        try:
            column.add(element)
        except ServingError as error:
            raise invalid(
                f"Failed to process element: {index} of 'instances' list. Error: {error.status_text}"
            ) from None
    return {alias: column.batch()}


def _columns(value: Any, dtypes: Mapping[str, DType]) -> dict[str, AnyArray]:
    if not _is_named(value):
        if len(dtypes) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        alias, dtype = next(iter(dtypes.items()))
        return {alias: _whole(value, dtype)}
    arrays = {}
    for alias, dtype in dtypes.items():
        if alias not in value:
            raise invalid(f"Missing named input: {alias} in 'inputs' object.")
        arrays[alias] = _whole(value[alias], dtype)
    return arrays


def _whole(value: Any, dtype: DType) -> AnyArray:
    if isinstance(value, list):
        array = in_bulk(value, dtype)
        if array is not None:
            return array
    column = Column(dtype)
    column.add(value)
    whole: AnyArray = column.batch()[0, ...]
    return whole


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)
