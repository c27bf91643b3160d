"""The shortest decimal form of float32 values, for JSON: half the digits of the same values as doubles."""

from typing import Any

import numpy as np
import orjson

from features.arrays import FloatArray


def to_json_floats(values: FloatArray) -> Any:
    """Values as nested lists of floats, of the same shape; each is the double with the fewest digits that rounds to the
    float32."""
    whole = np.ascontiguousarray(values, np.float32)
    return orjson.loads(orjson.dumps(whole, option=orjson.OPT_SERIALIZE_NUMPY))
