"""The embedded model server: TensorFlow Serving's protocol, REST and gRPC, over the same version folders.

Importing this package sets what TensorFlow and OpenBLAS read once, when they are first loaded: on few cores one thread
and no oneDNN answer a ranking request faster than two threads do. A value already in the environment stands.
"""

import os

for _name, _value in (
    ("TF_ENABLE_ONEDNN_OPTS", "0"),
    ("OPENBLAS_NUM_THREADS", "1"),
    ("TF_CPP_MIN_LOG_LEVEL", "3"),
    ("CUDA_VISIBLE_DEVICES", "-1"),
):
    os.environ.setdefault(_name, _value)
