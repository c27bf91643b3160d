"""How an encoder alone ranks lists: it learns from the rows before the first one. By this its constants are compared."""

from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from features.arrays import AnyArray, IntArray
from models.nets.parts.id_layers import IdIndex
from models.nets.parts.sequence import DROPOUT, SequenceEncoder
from models.nets.sasrec import NET
from models.training.effort import FULL
from models.training.fitting.fit_lists import MAX_EVENTS
from models.training.fitting.fit_sequences import SequenceTraining, fit_encoder
from models.training.fitting.warm_start import with_new
from models.training.lessons.list_data import Lists, RankingLists
from models.training.list_metrics import ranks_of

_ENCODE: Final = 256


@dataclass(frozen=True)
class EncoderConstants(SequenceTraining):
    """All that is chosen of how an encoder learns: what it is trained by, the net's dropout, and the passes over the rows before
    the first list, of which a long history gets fewer (`models.training.fitting.fit_sequences.passes`). By default what served
    models have."""

    dropout: float = DROPOUT
    passes: int = FULL.sequence


def encoder_ranks(ranking_lists: RankingLists, constants: EncoderConstants, seed: int) -> IntArray:
    """[A] the ranks, from 0, of the answers of all lists, those that train before those that validate, as an encoder ranks them
    that has learned from the rows before the first list. The same lists, constants and seed give the same ranks.

    Raises BadInput where lists came without histories, Broken where a loss stops being a finite number."""
    keras.utils.set_random_seed(seed)
    item_ids = with_new(np.zeros(0, np.int64), ranking_lists.item_ids())
    encoder = SequenceEncoder(len(item_ids), seed, dropout=constants.dropout)
    past = ranking_lists.past(MAX_EVENTS)
    fit_encoder(NET, encoder, past, item_ids, constants.passes, seed, lambda *_: None, constants)
    index = IdIndex(item_ids, "item_index")
    parts = (ranking_lists.train_lists, ranking_lists.validation_lists)
    return np.concatenate([ranks_of(lists, _logits(encoder, index, lists)) for lists in parts])


def _logits(encoder: Any, index: Any, lists: Lists) -> AnyArray:
    """[A, C] of the candidates; −inf of those that the encoder does not know, and where there is none."""

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def score(items: Any, marks: Any, gaps: Any, candidates: Any) -> Any:
        states = encoder(items, marks, gaps, newest=1)[:, 0]
        own = tf.einsum("nd,ncd->nc", states, encoder.items(candidates))
        logits = own + tf.gather(encoder.bias, tf.maximum(candidates - 1, 0))
        return tf.where(candidates > 0, logits, -np.inf)

    items, candidates = index(lists.history), index(lists.items)
    chunks = (slice(low, low + _ENCODE) for low in range(0, len(lists), _ENCODE))
    return np.concatenate(
        [score(items[chunk], lists.marks[chunk], lists.gaps[chunk], candidates[chunk]).numpy() for chunk in chunks]
    )
