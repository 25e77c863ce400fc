"""Leaks of a shop, as they are told, kept and listed."""

from dataclasses import replace

from resident.leaks.leak import Leak, Line

__all__ = ["CACHE", "SEEN", "SESSION"]

CACHE = Leak(
    path="/prices",
    kind="module global",
    name="shop.pricing.CACHE['…']",
    file="/srv/shop/pricing.py",
    line=12,
    growth=(1, 2, 3, 4, 5),
    value="dict of 310 str",
    remedy="Give it a bound or keep it per request, or have it as before after each request: "
    'RESIDENT_FLUSH = ["shop.pricing.CACHE"].',
    put_in=Line("/srv/shop/views.py", 40),
)
SEEN = replace(
    CACHE,
    kind="closure",
    name="shop.views.make.<locals>.view(seen)[…]",
    remedy="Keep it in the session, or on the request.",
    put_in=None,
)
SESSION = Leak(
    path="/prices",
    kind="database session",
    name="connections['default']: SET search_path",
    file="",
    line=0,
    growth=(),
    value="a statement",
    remedy="Use SET LOCAL.",
)
