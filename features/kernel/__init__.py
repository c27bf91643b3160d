"""The kernel: the fold of `features.fold` once more, compiled, over rows of numbers instead of objects.

`features/fold` is the specification: it says what an event does, and tests and `verify` run it. The kernel does the same to the
byte, in less time (decision 0030 has how much). docs/kernel.md is the way in.
"""
