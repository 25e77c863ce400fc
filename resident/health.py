"""Whether this worker lives, and whether it is ready: for orchestrators and load balancers.

Both are cheap: no database, no Vault, no Flipt is asked, and no secret is shown.
"""

import logging
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from resident.conf import conf
from resident.exceptions import ResidentError
from resident.resources import resources
from resident.secrets.state import State
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
    """200 once every resource of the worker is open, else 503; with how fresh what it has is.

    It is 503 too where they could not be read for longer than RESIDENT_SECRETS["MAX_AGE"].

    A process that was forked after the start (gunicorn's --preload) has none of its parent's
    resources: there the first question opens them.
    """
    try:
        worker.open(*resources())
    except ResidentError as error:
        # Hosts and paths are for the log; who may ask for health is not known here.
        logger.error("This worker is not ready: %s", error)  # noqa: TRY400 - it says enough
        return JsonResponse({"status": "unready", "problem": type(error).__name__}, status=503)
    secrets = worker.secrets_state
    if conf.secrets_max_age is not None and secrets.age > conf.secrets_max_age:
        problem = "secrets are too old"
        return JsonResponse(
            {"status": "unready", "problem": problem, "secrets": _told(secrets)}, status=503
        )
    state = {resource.__name__: "open" for resource in resources()}
    told = {"status": "ready", "resources": state, "secrets": _told(secrets)}
    return JsonResponse({**told, "flags": _told_of_flags()} if conf.has_flags else told)


def _told_of_flags() -> dict[str, Any]:
    """Everything in it may be known to anybody, too: a place, which names a host, is left out."""
    from resident.flags.resource import flags  # noqa: PLC0415 - where there are any

    told = {}
    for name, state in worker.get(flags).states.items():
        told[name] = {**asdict(state), "age": round(state.age, 1)}
        del told[name]["place"], told[name]["namespace"]
    return told


def _told(secrets: State) -> dict[str, Any]:
    """Everything in it may be known to anybody: no value, no host, no path."""
    left = secrets.lease_left
    return {
        **asdict(secrets),
        "age": round(secrets.age, 1),
        "lease_left": None if left is None else round(left, 1),
    }
