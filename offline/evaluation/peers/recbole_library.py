"""Sequence models of RecBole (W. X. Zhao et al., CIKM 2021), trained on the CPU."""

import contextlib
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.data.interaction import Interaction
from recbole.utils import get_model, get_trainer, init_seed

from features.arrays import IntArray, RealArray
from offline.evaluation.peers.interactions import InteractionLog

SEED = 7
NEWEST = 20
THREADS = 2


class RecBole:
    """A sequence model by its name, with settings of its own over the library's defaults."""

    def __init__(self, name: str, epochs: int, **settings: object) -> None:
        self._name = name
        self._settings = {"epochs": epochs, **settings}

    def learn(self, log: InteractionLog) -> None:
        torch.set_num_threads(THREADS)
        logging.disable(logging.INFO)
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # its trainer writes where it stands
            self._learn(log, Path(folder))

    def _learn(self, log: InteractionLog, folder: Path) -> None:
        (folder / "log").mkdir()
        with (folder / "log" / "log.inter").open("w") as file:
            file.write("user_id:token\titem_id:token\ttimestamp:float\n")
            # Ranks in time order for times: rows of one second keep the order in which they came.
            for number, (user, item) in enumerate(zip(log.users.tolist(), log.items.tolist(), strict=True)):
                file.write(f"{user}\t{item}\t{number}\n")
        sys.argv = sys.argv[:1]  # Config would read our arguments
        config = Config(
            model=self._name,
            dataset="log",
            config_dict={
                "data_path": str(folder),
                "checkpoint_dir": str(folder),
                "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
                "USER_ID_FIELD": "user_id",
                "ITEM_ID_FIELD": "item_id",
                "TIME_FIELD": "timestamp",
                "MAX_ITEM_LIST_LENGTH": NEWEST,
                "train_neg_sample_args": None,
                "eval_args": {"split": {"RS": [1, 0, 0]}, "order": "TO", "group_by": "user", "mode": "full"},
                "use_gpu": False,
                "train_batch_size": 256,  # the default of 2048 leaves a small log too few steps
                "seed": SEED,
                "show_progress": False,
                **self._settings,
            },
        )
        init_seed(SEED, True)
        dataset = create_dataset(config)
        train, _, _ = data_preparation(config, dataset)
        self._model = get_model(self._name)(config, train.dataset)
        get_trainer(config["MODEL_TYPE"], self._name)(config, self._model).fit(train, None, saved=False, verbose=False)
        self._model.eval()
        known = dataset.field2id_token["item_id"]  # 0 is padding
        self._row_of = np.full(len(log.ids), -1, np.int64)
        self._row_of[[int(token) for token in known[1:]]] = np.arange(1, len(known))

    def score(self, histories: Sequence[IntArray]) -> RealArray:
        sequences = np.zeros((len(histories), NEWEST), np.int64)
        lengths = np.zeros(len(histories), np.int64)
        for row, history in enumerate(histories):
            query_rows = self._row_of[history]
            query_rows = query_rows[query_rows > 0][-NEWEST:]
            sequences[row, : len(query_rows)] = query_rows
            lengths[row] = len(query_rows)
        batch = Interaction(
            {
                "item_id_list": torch.from_numpy(sequences),
                "item_length": torch.from_numpy(np.maximum(lengths, 1)),
            }
        )
        with torch.inference_mode():
            scores = self._model.full_sort_predict(batch).numpy()
        out = np.full((len(histories), len(self._row_of)), np.nan)
        known = self._row_of > 0
        out[:, known] = scores[:, self._row_of[known]]
        out[lengths == 0] = np.nan
        return out
