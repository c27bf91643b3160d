"""The judge: which version of a model ranks, by what users do about lists that compare two of them."""
