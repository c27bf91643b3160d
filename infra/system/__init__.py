"""The machine below infra/: packages, processes, probes."""
