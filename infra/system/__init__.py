"""What infra/ needs of the machine: packages, processes, probes."""
