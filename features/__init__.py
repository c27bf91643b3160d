"""The shared kernel: words, the fold, encodings, model inputs. Pure: no I/O, no clock, imports nothing of Martlet."""
