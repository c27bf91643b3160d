"""A host and a port in one text."""


def host_port(host: str, port: int) -> str:
    """Returns where a server is, as URLs and gRPC write it: an IPv6 address has brackets.

    >>> host_port("cache.example", 6379), host_port("::1", 8500)
    ('cache.example:6379', '[::1]:8500')
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
