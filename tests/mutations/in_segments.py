"""Faults in segments: of users, and of the context of events and requests."""

from typing import Final

from tests.mutations.fault import Fault

FAULTS: Final = (
    Fault(
        "a segment of few users shows what one of them likes",
        "offline/item_weights/segment_shares.py",
        "if users_of[name] >= MIN_USERS",
        "if users_of[name]",
        ("test_a_weight_is_how_much_larger_the_items_share_is",),
    ),
    Fault(
        "what users like again counts again for their segments",
        "offline/item_weights/segment_shares.py",
        "users, numbers = users[first], numbers[first]",
        "users, numbers = users[:], numbers[:]",
        ("test_a_weight_is_how_much_larger_the_items_share_is",),
    ),
    Fault(
        "who is forgotten is in their segments still",
        "offline/base/forgotten_users.py",
        "forget_profiles(dataset, schema, {user for user, at in until.items() if at > dataset.until})",
        "forget_profiles(dataset, schema, ())",
        ("test_what_is_known_of_who_is_forgotten_is_deleted_but_what_they_told_since_then",),
    ),
    Fault(
        "who was forgotten and came back is forgotten for ever",
        "offline/base/forgotten_users.py",
        "for user, at in until.items() if at > dataset.until}",
        "for user, at in until.items()}",
        ("test_what_is_known_of_who_is_forgotten_is_deleted_but_what_they_told_since_then",),
    ),
    Fault(
        "of a user's segments the first counts",
        "features/base/segments.py",
        "for name in names if name in self._number]",
        "for name in names[:1] if name in self._number]",
        ("test_what_a_user_s_segments_like_is_summed_for_items_that_have_a_row",),
    ),
    Fault(
        "what is liked again under a context counts again",
        "offline/item_weights/segment_shares.py",
        "numbers, users, items = numbers[first], users[first], items[first]",
        "numbers, users, items = numbers[:], users[:], items[:]",
        ("test_a_context_counts_each_user_and_item_once",),
    ),
    Fault(
        "what nobody liked under a context counts",
        "offline/item_weights/segment_shares.py",
        "np.flatnonzero(positive[start : start + len(batch)])",
        "np.arange(len(batch))",
        ("test_a_context_counts_each_user_and_item_once",),
    ),
    Fault(
        "lists that teach are asked for under no context",
        "offline/training_data/history_walk.py",
        "fields = self.index.schema.context.read(context)",
        'fields = self.index.schema.context.read("")',
        ("test_lists_know_what_users_of_the_same_attributes_like",),
    ),
    Fault(
        "what a request says of its circumstances finds nothing",
        "online/recommend/recommender.py",
        "acted, free, request.context)",
        "acted, free, {})",
        ("test_what_is_said_of_a_request_leads_to_items",),
    ),
    Fault(
        "a data set loses what events say of their circumstances",
        "offline/datasets/event_history.py",
        "_nothing(len(at)) if rows.context is None else _taken(rows.context, at)",
        "_nothing(len(at))",
        ("test_the_context_of_an_event_comes_back",),
    ),
    Fault(
        "rows lack what a field of the context that was added would have",
        "offline/datasets/dataset.py",
        "schema.ids.salt.hex(), context, taken]",
        "schema.ids.salt.hex(), [], taken]",
        ("test_what_one_named_is_read_by_the_schema",),
    ),
    Fault(
        "bands of users' numbers name no segment",
        "features/schema/tables.py",
        "Attribute(each.type, each.many, bands=each.bands)",
        "Attribute(each.type, each.many)",
        ("test_numbers_with_bands_name_segments_by_them",),
    ),
    Fault(
        "a history of an earlier version can not be read",
        "offline/datasets/schema_rows.py",
        "if name in pq.read_schema(history).names]",
        "if name]",
        ("test_a_history_of_before_says_nothing_of_circumstances",),
    ),
)
