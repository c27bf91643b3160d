"""Samples joined with their lists, wherever these lie: once each, and none of a user who wanted to be forgotten."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from features.contracts.samples import Action, Sample, SampleReference, write_forgotten, write_sample
from features.contracts.served import Served, ServedCandidates, ServedItem, write_head
from features.contracts.shown_lists import Shown, float_column, whole_column, write_shown
from features.ids import OuterId
from features.keys import SAMPLES, SERVED, SHOWN
from offline.base.kafka_log import Record, Span
from offline.training_data import logged_lists
from offline.training_data.logged_lists import FORGOTTEN, NO_RECORD, NO_SAMPLE, Spans, logged_samples

TS = 889_000_000_000
ACTION = Action("e", "like", TS, 10)


@dataclass
class Topics:
    """A log of one partition; `first_offsets` are those before which retention has deleted."""

    values: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    first_offsets: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    reads: int = 0

    def append(self, topic: str, value: bytes) -> int:
        self.values[topic].append(value)
        return len(self.values[topic]) - 1

    def read(self, span: Span) -> Iterator[Record]:
        self.reads += 1
        assert span.start >= self.first_offsets[span.topic]
        for offset in range(span.start, span.end):
            yield Record(offset, TS, b"7", self.values[span.topic][offset])

    def first(self, span: Span) -> int:
        return self.first_offsets[span.topic]

    def spans(self) -> Spans:
        samples, shown, served = (
            Span(topic, 0, self.first_offsets[topic], len(self.values[topic])) for topic in (SAMPLES, SHOWN, SERVED)
        )
        return Spans(samples, shown, served)

    def show(self, name: str, user: OuterId = 7, record: bool = True, actions: tuple[Action, ...] = (ACTION,)) -> None:
        """Log a list, and what its user did about it."""
        columns = (whole_column([10, 11]), whole_column([0, 0]), float_column([0.5, 0.25]))
        slate = whole_column([0, 1])
        shown = Shown(request_id=name, user_id=user, ts=TS, at=TS, channels=(), candidates=columns, slate=slate)
        place = self.append(SHOWN, write_shown(shown)) if record else None
        served = self.append(SERVED, write_head(name, user, TS, [10, 11], {"order": "new"}, place))
        self.append(SAMPLES, write_sample(name, user, served, place, actions, TS))


def whole(name: str) -> Served:
    """A list as homes of before have it."""
    return Served(
        request_id=name,
        user_id=7,
        ts=TS,
        at=TS,
        model=None,
        model_version=None,
        items=(ServedItem(10, 0, 0.5, ()),),
        candidates=ServedCandidates((), [10], [0], [0.5]),
    )


def told(log: Topics) -> list[str]:
    """The request_ids of the samples that have their lists, and why the others have none."""
    return [each.request_id if isinstance(each, Sample) else str(each) for each in logged_samples(log, log.spans())]


def test_each_sample_comes_once_with_its_list() -> None:
    log = Topics()
    for number in range(2 * logged_lists.BLOCK + 5):
        log.show(f"r{number}")
    log.values[SAMPLES] += log.values[SAMPLES][:3]  # a crash has the job write some again
    log.append(SAMPLES, b"no sample")
    assert told(log) == [f"r{number}" for number in range(2 * logged_lists.BLOCK + 5)] + [NO_SAMPLE]
    first = next(logged_samples(log, log.spans()))
    assert isinstance(first, Sample)
    assert [item.item_id for item in first.served.items] == [10, 11]
    assert first.actions == (ACTION,)


def test_where_the_record_is_gone_the_head_says_what_was_shown() -> None:
    log = Topics()
    log.show("gone")
    log.show("never written", record=False)
    log.show("broken")
    log.values[SHOWN][1] = b"broken"
    log.show("another's")
    log.values[SHOWN][2] = log.values[SHOWN][0]
    log.show("there")
    log.first_offsets[SHOWN] = 1
    assert told(log) == ["gone", "never written", "broken", NO_RECORD, "there"]
    *_, bare, _, _, whole = (None, *(each for each in logged_samples(log, log.spans())))
    assert isinstance(bare, Sample)
    assert isinstance(whole, Sample)
    assert ([item.item_id for item in bare.served.items], bare.served.arms) == ([10, 11], {"order": "new"})
    assert (bare.served.features, bare.served.candidates.item_id) == (None, [])
    assert whole.served.candidates.item_id == [10, 11]


def test_lists_of_before_are_in_the_sample_or_in_served() -> None:
    log = Topics()
    of_before = msgspec.json.encode(Sample("old", 7, whole("old"), (ACTION,), TS))
    log.append(SAMPLES, of_before)
    served = log.append(SERVED, msgspec.json.encode(whole("open then")))
    log.append(SAMPLES, write_sample("open then", 7, served, None, (ACTION,), TS))
    log.show("new")
    assert told(log) == ["old", "open then", "new"]


def test_nothing_is_learned_of_a_user_before_the_wish_to_be_forgotten() -> None:
    log = Topics()
    log.show("before", "Ada")
    log.show("another's", "Bob")
    log.append(SAMPLES, write_forgotten("Ada", TS, TS))
    log.show("after", "Ada")
    assert told(log) == [FORGOTTEN, "another's", "after"]


def test_a_log_that_was_folded_anew_takes_nothing_from_who_came_back() -> None:
    """All its samples, and the wish, lie there twice: what came after the wish is still to be learned from."""
    log = Topics()
    log.show("before", "Ada")
    log.append(SAMPLES, write_forgotten("Ada", TS, TS))
    log.show("after", "Ada")
    log.values[SAMPLES] += log.values[SAMPLES]
    assert [each for each in told(log) if each != FORGOTTEN] == ["after"]


def test_what_the_log_loses_meanwhile_ends_no_training() -> None:
    log = Topics()
    log.show("gone")
    log.show("there")
    spans = log.spans()
    log.first_offsets[SHOWN] = 1
    assert [getattr(each, "request_id", each) for each in logged_samples(log, spans)] == ["gone", "there"]


def test_lists_that_nobody_wants_are_not_read() -> None:
    log = Topics()
    log.show("seen", actions=())
    (sample,) = logged_samples(log, log.spans(), lambda each: bool(each.actions))
    assert isinstance(sample, SampleReference)
    assert (sample.request_id, log.reads) == ("seen", 2)  # the samples alone, twice
