"""Whether this worker lives, and whether it is ready: for orchestrators and load balancers.

Both are cheap: no database, no Vault, no Flipt is asked, and no secret is shown.
"""

import logging

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from resident.exceptions import ResidentError
from resident.resources import resources
from resident.worker import worker

__all__ = ["live", "ready"]

logger = logging.getLogger(__name__)


@require_safe
@never_cache
def live(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 - a view takes its request
    """200 as long as the process answers."""
    return JsonResponse({"status": "live"})


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 - a view takes its request
    """200 once every resource of the worker is open, else 503.

    A process that was forked after the start (gunicorn's --preload) has none of its parent's
    resources: there the first question opens them.
    """
    try:
        worker.open(*resources())
    except ResidentError as error:
        # Hosts and paths are for the log; who may ask for health is not known here.
        logger.error("This worker is not ready: %s", error)  # noqa: TRY400 - it says enough
        return JsonResponse({"status": "unready", "problem": type(error).__name__}, status=503)
    state = {resource.__name__: "open" for resource in resources()}
    return JsonResponse({"status": "ready", "resources": state})
