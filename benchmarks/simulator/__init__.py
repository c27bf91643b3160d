"""A drawn shop whose users' tastes are known, so that a list can be set against the best one there is: regret."""
