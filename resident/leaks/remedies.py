"""What to do about a leak: the line for RESIDENT_FLUSH, or the usual fix."""

__all__ = ["remedy_for"]


def remedy_for(kind: str, name: str) -> str:
    """What to do about what is found under this name."""
    return _REMEDIES.get(kind, _KEPT).format(name=_flushable(name))


def _flushable(name: str) -> str:
    """The name without what is inside of it: `shop.add(items)[…]` is flushed as `shop.add`."""
    return name.partition("[")[0].partition("(")[0]


_FLUSH = 'or have it as before after each request: RESIDENT_FLUSH = ["{name}"].'
_KEPT = "Let go of it when the request ends."

_REMEDIES = {
    "module global": f"Give it a bound or keep it per request, {_FLUSH}",
    "class attribute": f"Set it on the instance, not on the class, {_FLUSH}",
    "function default": f"Let the default be None and make a new one inside, {_FLUSH}",
    "function attribute": f"Keep it in the request, {_FLUSH}",
    "lru_cache": f"Give it a maxsize and arguments of no single request, {_FLUSH}",
    "closure": "The function lives as long as the worker: make what is the request's inside of it.",
    "instance attribute": (
        "The instance serves every request: keep in local variables or on the request what is the "
        "request's."
    ),
    "context variable": (
        "Reset it with the token that set() gives, in a `finally`; with resident.wsgi each request "
        "has a context of its own."
    ),
    "thread-local": (
        "Delete it in a `finally` when the request ends; with resident.wsgi it is put back."
    ),
    "database connection": "Undo it in a `finally`; with resident.wsgi it is put back.",
    "database session": "Use SET LOCAL in a transaction; with resident.wsgi the session is reset.",
    "signal receiver": "Connect once, when the app is ready, or give it a dispatch_uid.",
    "logging handler": "Add handlers in LOGGING; a request that adds one must remove it.",
    "logging filter": "Add filters in LOGGING; a request that adds one must remove it.",
    "logger": "Loggers are never freed: give them the name of a module, and the rest as `extra`.",
    "thread": "Use one pool of threads for the worker, or join the thread in its request.",
    "open file": "Open it in a `with` block.",
    "socket": "Close it in a `with` block, or keep one for the worker.",
    "pipe": "Wait for the process in a `with` block.",
    "environment": "Pass it as an argument; to a child process, as `env=`.",
    "process state": "Set it once for the worker; with resident.wsgi it is put back or reported.",
    "exit handler": "Register it once per worker.",
    "finalizer": "Attach it to what ends with the request.",
    "module": "Don't make modules by request: Python never forgets one.",
    "garbage collector callback": "Append it once per worker.",
}
