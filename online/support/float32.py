"""Numbers of 32 bits as they are told: half the digits of the doubles that Python makes of them."""

from typing import Any

import numpy as np
import orjson

from features.arrays import FloatArray


def to_json_floats(values: FloatArray) -> Any:
    """The same shape as lists of floats, each the double with the fewest digits that is nearest to these 32 bits."""
    whole = np.ascontiguousarray(values, np.float32)
    return orjson.loads(orjson.dumps(whole, option=orjson.OPT_SERIALIZE_NUMPY))
