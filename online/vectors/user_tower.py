"""The two-tower model's vector of a user, computed by the model server from the user's current features."""

import numpy as np

from features.arrays import FloatArray
from features.errors import Unavailable
from features.inputs.columns import user_vector
from features.inputs.history import history_of
from features.inputs.input_maps import HISTORY_INPUTS
from features.inputs.model_inputs import RawInputs, model_inputs
from features.inputs.moment import Moment
from online.model_client.client import ModelClient
from online.vectors.vector_store import EmbeddingKind


class UserTower:
    """Calls the user tower: one row, a timeout, no retry. A timeout counts for a circuit breaker of its own."""

    def __init__(self, client: ModelClient) -> None:
        self._client = client

    async def __call__(self, kind: EmbeddingKind, moment: Moment, timeout: float) -> FloatArray:
        """[W] the user's vector by the version that made the item vectors of `kind`. Raises Unavailable."""
        model = kind.model
        if model is None or (of := model.manifest.towers) is None:
            raise Unavailable(f"{kind.name} gives no vectors of users")
        names = [each.name for each in of.inputs]
        raw = RawInputs(
            np.array([moment.user_id]),
            user_vector(
                moment.user,
                moment.at,
                model.manifest.maps.vocabulary,
                moment.weights,
                moment.items.schema,
                moment.tastes,
            )[None],
            np.zeros(1, np.int64),
            np.zeros((1, 0), np.float32),
            history=history_of(moment.user.recent, moment.at) if set(HISTORY_INPUTS) & set(names) else None,
        )
        inputs = model_inputs(names, model.manifest.maps, raw)
        return await self._client.vector(model.name, model.version, of.signature, inputs, of.width, timeout)
