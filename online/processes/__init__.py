"""Several API processes on one machine: their sockets, and what each has to know of the others."""
