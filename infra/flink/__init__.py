"""Flink: the cluster, its REST interface, the job that is kept running, and a standby TaskManager."""
