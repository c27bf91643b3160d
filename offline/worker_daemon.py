"""The process that Spark forks its Python workers from, by `spark.python.daemon.module`. It has what they need before the first of
them comes: their modules and the kernel's compiled code, which else each of them would load for itself, for some seconds.

It starts no thread that a worker needs: a fork has its caller's thread alone.
"""

import gc

import pyspark.worker
from pyspark.daemon import manager

from features.kernel.compile_kernel import compile_kernel
from offline.base import fold_workers, log_fold_workers
from offline.training_data import from_impressions, ranking_lists, rows

__all__ = ["fold_workers", "from_impressions", "log_fold_workers", "pyspark", "ranking_lists", "rows"]

if __name__ == "__main__":
    compile_kernel()
    gc.freeze()  # so that the collections of a worker leave the pages shared
    manager()
