"""Django's handler, as a worker needs it."""

from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase

__all__ = ["Handler"]


class Handler(WSGIHandler):
    """Django's, and what a request has uploaded is closed also where it ends in SystemExit.

    Such an exception, and KeyboardInterrupt, passes through all of Django, and through the server.
    """

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        try:
            return super().get_response(request)
        except BaseException:
            request.close()
            raise
