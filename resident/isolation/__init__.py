"""What lives as long as a request, and ends with it.

- `context`: every request in a context of its own, from its first byte to its last
"""
