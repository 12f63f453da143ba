"""Hosts as URLs have them. Pure."""


def in_url(host: str) -> str:
    """An IPv6 address in brackets; names and IPv4 addresses as they are."""
    return f"[{host}]" if ":" in host else host
