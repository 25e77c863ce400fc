import os
import sys
from collections.abc import MutableMapping

from django.apps import AppConfig
from django.core.checks import register
from django.utils.autoreload import DJANGO_AUTORELOAD_ENV

from resident.checks import (
    check_databases,
    check_flags,
    check_middleware,
    check_settings,
    check_visitors,
)
from resident.conf import conf
from resident.databases import Credentials
from resident.resources import resources
from resident.secrets.records import mask_records
from resident.worker import worker


class ResidentConfig(AppConfig):
    """Opens the worker where this process serves requests, and nothing anywhere else."""

    name = "resident"
    verbose_name = "Resident"

    def ready(self) -> None:
        if conf.masks_logs:
            mask_records()
        for check in (
            check_middleware,
            check_settings,
            check_databases,
            check_flags,
            check_visitors,
        ):
            register(check, "resident")
        self.credentials = Credentials()
        self.credentials.follow()
        if worker.serves or _is_runserver():
            _withdraw_credentials(os.environ)
        if worker.serves:
            worker.open(*resources())


def _withdraw_credentials(environ: MutableMapping[str, str]) -> None:
    # granian and runserver begin every request's META with a copy of the environment.
    for name in conf.credentials:
        environ.pop(name, None)


def _is_runserver() -> bool:
    """Whether this is `runserver`, and not the parent of its autoreloader: the child that serves
    inherits the environment from that parent, and reads the settings from it again.
    """
    is_child = os.environ.get(DJANGO_AUTORELOAD_ENV) == "true"
    return "runserver" in sys.argv[1:2] and (is_child or "--noreload" in sys.argv)
