"""The kernel of items' co-visits: features/fold/co_visits.py is its specification."""
