from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from resident.flags import flag_enabled

GREETING = "Hello, world!"


@require_safe
def greet(request: HttpRequest) -> HttpResponse:
    """Greet the world; backwards while the flag is on."""
    backwards = flag_enabled("show_reverse_greeting", request)
    return HttpResponse(GREETING[::-1] if backwards else GREETING, content_type="text/plain")
