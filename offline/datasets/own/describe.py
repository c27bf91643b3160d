"""Files → their description, for a schema that is given: what `init` writes down, and `up --dataset FOLDER` goes by."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from features.schema.declarations import Attribute
from features.schema.document import Document
from features.units import DAY_MS
from offline.datasets.own import event_survey, item_survey
from offline.datasets.own.description import Description
from offline.datasets.own.event_survey import EventSurvey, survey_events
from offline.datasets.own.item_survey import ItemSurvey, survey_items
from offline.datasets.own.recogniser import recognise
from offline.datasets.rejected_lines import Rejects

RECENT_MS: Final = 30 * DAY_MS
"""Data whose last event is no older than this goes on now; older data is a recording, with a time of its own."""


def describe(paths: Sequence[Path], document: Document) -> Description:
    """The description of files that hold events and items of this schema. Raises BadInput as `recognise` does."""
    found = recognise(paths).description
    rejects = Rejects()
    surveys = [survey_events(file, rejects) for file in found.events]
    catalogues = [survey_items(file, rejects) for file in found.items]
    return completed(found, surveys, catalogues, document, document.items)


def completed(
    found: Description,
    surveys: Sequence[EventSurvey],
    catalogues: Sequence[ItemSurvey],
    document: Document,
    declared: Mapping[str, Attribute],
) -> Description:
    """A description with what reading the files has shown, file by file. declared: the attributes that items will have."""
    last = max((survey.last for survey in surveys), default=0)
    meanings = event_survey.meanings_in(surveys, document)
    return Description(
        found.name,
        "wall" if last >= time.time_ns() // 1_000_000 - RECENT_MS else "data",
        tuple(
            event_survey.completed(file, survey, document, meanings)
            for file, survey in zip(found.events, surveys, strict=True)
        ),
        tuple(
            item_survey.completed(file, survey, declared) for file, survey in zip(found.items, catalogues, strict=True)
        ),
    )
