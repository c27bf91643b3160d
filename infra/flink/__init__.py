"""Flink: the cluster, its REST client, control of the job, and a standby TaskManager."""
