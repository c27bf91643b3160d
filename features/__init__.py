"""The shared core: words, the fold, encodings, model inputs. It imports nothing else of Martlet.

What computes is pure, without I/O or a clock. `base` and `schema` read files, `durable` writes them whole, and `engines`,
`http_connections` and `http_bodies` have what clients and servers connect by.
"""
