"""Other libraries under the same protocol, in an environment of their own (requirements/peers.lock).

`exchange` holds the two files between the environments and is all that both import. `python -m offline.evaluation.peers`
runs in theirs: it reads the rows, trains each library on the history, queries it with the user's newest rows, and writes
the lists. `libraries` names them, with the settings that were found on the history's newest tenth.
"""
