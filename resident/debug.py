"""Django's error pages, and the reports that it sends to administrators, without secrets.

DEFAULT_EXCEPTION_REPORTER = "resident.debug.MaskedReporter"
"""

from django.utils.safestring import SafeString, mark_safe
from django.views.debug import ExceptionReporter

from resident.secrets.mask import mask

__all__ = ["MaskedReporter"]


class MaskedReporter(ExceptionReporter):
    """Django's, and blots the secrets of this process out of the variables that it shows too."""

    def get_traceback_html(self) -> SafeString:
        return _masked(super().get_traceback_html())

    def get_traceback_text(self) -> SafeString:
        return _masked(super().get_traceback_text())


def _masked(page: SafeString) -> SafeString:
    return mark_safe(mask(page))  # noqa: S308 - it was safe, and nothing but stars was added
