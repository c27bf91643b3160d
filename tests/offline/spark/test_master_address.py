"""Where Spark's driver listens: on loopback for a master of this machine alone."""

import pytest

from offline.spark.session import is_here


@pytest.mark.parametrize(
    "master", ["local", "local[2]", "local[*,4]", "spark://127.0.0.1:7077", "spark://localhost:7077"]
)
def test_a_master_on_this_machine_needs_no_other_address(master: str) -> None:
    assert is_here(master)


@pytest.mark.parametrize(
    "master", ["spark://spark.example:7077", "spark://10.0.0.1:7077", "yarn", "k8s://https://k8s:6443"]
)
def test_executors_elsewhere_must_reach_the_driver(master: str) -> None:
    assert not is_here(master)
