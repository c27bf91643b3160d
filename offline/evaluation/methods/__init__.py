"""Methods that give a list in an evaluation: published models, as they stay and as they learn, embeddings, a blend of counts."""
