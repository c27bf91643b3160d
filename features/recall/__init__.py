"""What recall computes for one list, compiled: what it costs grows with the user's history, not with the catalogue.

Strengths are sparse: only the rows that a user's history leads to have one. What items alone decide stands in whole orders that
are kept; walks along them end as soon as nothing further can be among the best.
"""
