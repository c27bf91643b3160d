"""The shared kernel: words, the fold, encodings, model inputs. It imports nothing else of Martlet.

Pure, without I/O or a clock; only `base` reads files, and `durable` writes them whole.
"""
