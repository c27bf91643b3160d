"""The learner for ever, as a service, and once, by hand."""

import time
from collections.abc import Callable
from typing import Final

from kafka.errors import KafkaError

from features.errors import BadInput, Unavailable
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.home.running import engines_of
from infra.judging.judge_service import Absence
from infra.learning.enough_memory import FreeMemory, lacks_free_memory, lacks_total_memory, total_mib
from infra.learning.learner import Learner, model_of
from infra.learning.learner_files import remove_lists
from infra.learning.learner_service import serving_of
from infra.learning.noted_lack import NotedLack, noted_lack
from infra.learning.slice_run import LearningSteps
from models.learning.fit_to_learn import require_fit
from online.ranking.policy import Learning

POLL_MS: Final = 1_000


def learner_of(home: Home, learning: Learning, print_line: Callable[[str], None], once: bool = False) -> Learner:
    """The learner of a running home. Raises BadInput for a model that can't learn from lists, Unavailable where the home does not
    run, Broken for a state that can't be read."""
    require_fit(model_of(learning))
    steps, schema = LearningSteps(home, model_of(learning), print_line), HomeRecord(home).base().schema
    return Learner(home, learning, engines_of(home).kafka, schema, steps, print_line, once)


def run_for_ever(home: Home, print_line: Callable[[str], None], total: Callable[[], int] = total_mib) -> None:
    """Learn as `serving.json` says, until the supervisor ends this process; while Kafka is away it waits, what memory is lacking
    is noted, and once `learn` is off the lists are removed. total: returns the MiB that there are here. Raises Broken for a state
    that can't be read."""
    with noted_lack(home) as lack:
        _learn_on(home, print_line, lack, total)


def _learn_on(home: Home, print_line: Callable[[str], None], lack: NotedLack, total: Callable[[], int]) -> None:
    serving, memory = serving_of(home), FreeMemory(print_line, find=lambda: lacks_total_memory(total))
    learner: Learner | None = None
    settings: Learning | None = None
    absence = Absence()
    while True:
        serving.refresh()
        is_off = absence.has_lasted(serving.value.learning, serving.error)
        if serving.value.learning is None:
            lack.note(None)
            if is_off:
                if learner is not None:
                    learner.close()
                learner, settings = None, None
                remove_lists(home)
            time.sleep(POLL_MS / 1000)
            continue
        lack.note(lacks_total_memory(total) or lacks_free_memory())
        if not memory.is_enough():
            time.sleep(POLL_MS / 1000)
            continue
        if settings != serving.value.learning:
            if learner is not None:
                learner.close()
            learner, settings = None, serving.value.learning
            try:
                learner = learner_of(home, settings, print_line)
            except BadInput as error:
                print_line(f"error: {error}")
        if learner is None:  # until the file says otherwise
            time.sleep(POLL_MS / 1000)
            continue
        try:
            learner.step(POLL_MS)
        except (KafkaError, Unavailable) as error:
            print_line(f"waits: {error}")
            learner.close()
            time.sleep(POLL_MS / 1000)


def learn_once(home: Home, print_line: Callable[[str], None]) -> bool:
    """One cycle: what was shown since the last slice is scored and learned, however little time it took, and published as a
    candidate if the judge takes one; returns whether there was anything to learn. Raises BadInput where `serving.json` has no
    `learn`, or one of a model that can't, and on a machine with too little memory; Unavailable where the home does not run or
    Kafka does not answer."""
    learning = serving_of(home).value.learning
    if learning is None:
        raise BadInput("serving.json", '"learn": {}, and "judge": {} with it', "no learn")
    if (lacking := lacks_total_memory()) is not None:
        raise BadInput("memory", "enough to learn", lacking)
    learner = learner_of(home, learning, print_line, once=True)
    try:
        return learner.once()
    except KafkaError as error:
        raise Unavailable(f"Kafka: {error}") from error
    finally:
        learner.close()
