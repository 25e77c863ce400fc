"""`FlagRequiredMixin`: a class-based view that is there only while a flag says so."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.views import View

from resident.exceptions import ConfigurationError
from resident.flags import decorators
from resident.flags.decorators import flag_required

__all__ = ["FlagRequiredMixin"]


class FlagRequiredMixin(View):
    """Lets a class-based view, sync or async, answer only while a flag says so; else 404.

        class Checkout(FlagRequiredMixin, TemplateView):
            flag_key = "new_checkout"

    The attributes are the arguments of `flag_required`. The two methods may look at `self.request`
    and `self.kwargs`.
    """

    flag_key: str = ""
    flag_value: bool | str = True
    flag_default: bool | str | None = None
    flag_redirect_to: Any = None
    flag_otherwise: decorators.View | None = None
    flag_namespace: str | None = None

    def get_flag_entity_id(self) -> str | None:
        """Who is asked about; None for the request's user or visitor."""
        return None

    def get_flag_context(self) -> Mapping[str, Any] | None:
        """Properties beside those of the request."""
        return None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not self.flag_key:
            raise ConfigurationError(
                f"{type(self).__qualname__} requires a flag, and names none.",
                remedy="set its flag_key.",
            )
        require = flag_required(
            self.flag_key,
            value=self.flag_value,
            default=self.flag_default,
            redirect_to=self.flag_redirect_to,
            otherwise=type(self).flag_otherwise,  # on the class, where a function is no method
            namespace=self.flag_namespace,
            entity_id=self.get_flag_entity_id(),
            context=self.get_flag_context(),
        )
        return require(super().dispatch)(request, *args, **kwargs)
