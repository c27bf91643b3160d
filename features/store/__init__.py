"""What lies in Redis beside the features: the job's status, the scripts that write, freshness."""
