"""The fold of users over rows: `row_types` says what they are, `user_fold` what an event does, `event_batch` is the way in."""
