"""`flagged_path`: URLs that are there only while a flag says so."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, URLResolver, path
from django.urls.resolvers import ResolverMatch

from resident.flags.decorators import View, flag_required

__all__ = ["flagged_path"]


def flagged_path(
    key: str,
    route: str,
    view: Any,
    kwargs: dict[str, Any] | None = None,
    name: str | None = None,
    *,
    value: bool | str = True,
    default: bool | str | None = None,
    redirect_to: Any = None,
    otherwise: View | None = None,
    namespace: str | None = None,
) -> URLPattern | URLResolver:
    """Django's `path`, whose view, or what `include()` gives, is there only while a flag says so.

        flagged_path("new_checkout", "checkout/", views.checkout, otherwise=views.old_checkout)
        flagged_path("beta", "beta/", include("shop.beta"))

    The flag is asked in each request, and the URL can be reversed whatever it says. The other
    arguments are those of `flag_required`; `otherwise` gets what the view would get.

    Raises:
        ConfigurationError: arguments contradict each other.
    """
    require = flag_required(
        key,
        value=value,
        default=default,
        redirect_to=redirect_to,
        otherwise=otherwise,
        namespace=namespace,
    )
    if isinstance(view, list | tuple):
        return _FlaggedResolver(path(route, view, kwargs, name), require)
    pattern: URLPattern = path(route, require(view) if callable(view) else view, kwargs, name)
    return pattern


class _FlaggedResolver(URLResolver):
    """Included URLs that are there only while a flag says so; lives as long as the URLs."""

    def __init__(self, included: URLResolver, require: Callable[[View], View]) -> None:
        super().__init__(
            included.pattern,
            included.urlconf_name,
            included.default_kwargs,
            included.app_name,
            included.namespace,
        )
        self._require = require

    def resolve(self, path: str) -> ResolverMatch:
        match = super().resolve(path)
        match.func = self._require(match.func)
        return match
