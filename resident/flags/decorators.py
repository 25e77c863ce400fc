"""`flag_required`: a view that is there only while a flag says so."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, TypeVar, cast

from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from resident.exceptions import ConfigurationError
from resident.flags.condition import Condition

__all__ = ["View", "flag_required"]

View = Callable[..., Any]
V = TypeVar("V", bound=View)


def flag_required(
    key: str,
    *,
    value: bool | str = True,
    default: bool | str | None = None,
    redirect_to: Any = None,
    otherwise: View | None = None,
    namespace: str | None = None,
    entity_id: str | Callable[..., str | None] | None = None,
    context: Mapping[str, Any] | Callable[..., Mapping[str, Any]] | None = None,
) -> Callable[[V], V]:
    """Let a view, sync or async, answer only while a flag says so; else it is not found (404).

        @flag_required("new_checkout")
        def checkout(request): ...

    Args:
        key: the flag.
        value: what it has to answer: True, False, or the key of a variant.
        default: what it answers where it can't be told; by default off, or no variant.
        redirect_to: where to go otherwise: what `django.shortcuts.redirect` takes.
        otherwise: the view, sync or async, that answers otherwise.
        namespace: whose flag; default: RESIDENT_FLAGS["NAMESPACE"].
        entity_id: who is asked about, or what gives it from the view's arguments.
        context: properties beside those of the request, or what gives them likewise.

    Raises:
        ConfigurationError: arguments contradict each other.
    """
    condition = Condition(key=key, value=value, default=default, namespace=namespace)
    if redirect_to is not None and otherwise is not None:
        raise ConfigurationError(
            f"The flag {key!r} is required with both redirect_to and otherwise.",
            remedy="give one of them.",
        )
    guard = _Guard(condition, redirect_to, otherwise, entity_id, context)
    return guard.around


@dataclass(frozen=True, slots=True)
class _Guard:
    """Stands before a view; lives as long as the view."""

    condition: Condition
    redirect_to: Any
    otherwise: View | None
    entity_id: str | Callable[..., str | None] | None
    context: Mapping[str, Any] | Callable[..., Mapping[str, Any]] | None

    def around(self, view: V) -> V:
        guarded = self._async(view) if _is_async(view) else self._sync(view)
        return cast("V", functools.wraps(view)(guarded))

    def _sync(self, view: View) -> View:
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            asked = self._asked(request, *args, **kwargs)
            passes = self.condition.is_met(request, *asked)
            chosen = view if passes else self._other()
            return chosen(request, *args, **kwargs)

        return guarded

    def _async(self, view: View) -> View:
        async def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            asked = self._asked(request, *args, **kwargs)
            passes = await self.condition.ais_met(request, *asked)
            chosen = view if passes else self._other_async()
            response = chosen(request, *args, **kwargs)
            return await response if isawaitable(response) else response

        return guarded

    def _asked(self, *args: Any, **kwargs: Any) -> tuple[str | None, Mapping[str, Any] | None]:
        entity_id, context = self.entity_id, self.context
        return (
            entity_id(*args, **kwargs) if callable(entity_id) else entity_id,
            context(*args, **kwargs) if callable(context) else context,
        )

    def _other(self) -> View:
        if self.otherwise is None:
            return self._refuse
        return async_to_sync(self.otherwise) if _is_async(self.otherwise) else self.otherwise

    def _other_async(self) -> View:
        if self.otherwise is None:
            return self._refuse
        return self.otherwise if _is_async(self.otherwise) else sync_to_async(self.otherwise)

    def _refuse(self, *_: Any, **__: Any) -> HttpResponseBase:
        if self.redirect_to is None:
            raise Http404(f"The flag {str(self.condition.key)!r} is not {self.condition.value!r}.")
        return redirect(self.redirect_to)


def _is_async(view: View) -> bool:
    if iscoroutinefunction(view):
        return True
    # The `dispatch` of a class-based view, bound, and wrapped so by `method_decorator`.
    owner = getattr(getattr(view, "func", view), "__self__", None)
    return bool(getattr(owner, "view_is_async", False))
