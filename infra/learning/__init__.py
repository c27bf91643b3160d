"""The learner: a model goes on learning from the lists that the home shows, and its weights become candidates for the judge."""
