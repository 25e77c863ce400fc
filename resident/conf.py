"""The settings of resident: typed, lazy, in one place.

Every property reads `django.conf.settings` when it is asked, so that `override_settings` works,
and importing this module needs no configured project.
"""

import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from resident.exceptions import ConfigurationError

__all__ = ["EXCLUDE", "RESETTERS", "conf"]

NO_SECRETS = {"BACKEND": "resident.secrets.environment.Environment", "OPTIONS": {"values": {}}}
COOKIE = re.compile(r"[-_A-Za-z0-9]+")
FALLBACKS = ("", "features", "defaults")
FETCHES = ("auto", "poll", "stream")
TOKEN_TYPES = ("client", "jwt")
SESSION = ("always", "when changed", "never")
UNDO = ("when alone", "always", "never")
RESETTERS = (
    "resident.isolation.database.DatabaseSession",
    "resident.isolation.threadlocals.ThreadLocals",
    "resident.isolation.packages.TenantSchema",
    "resident.isolation.packages.SentryScope",
    "resident.isolation.packages.CrequestThread",
    "resident.isolation.packages.RequestIdThread",
    "resident.isolation.flush.NamedState",
    "resident.isolation.process.ProcessState",
)
"""What is done after each request, in this order, where a project does not say otherwise."""

EXCLUDE = ("/log_?out", "/jsi18n/?$", "/autocomplete/?$", "/health/ready$")
"""Pages that `findleaks` leaves out where it is given none and a project does not say otherwise:
those that end a session, answer only what scripts ask, or tell that nothing is served yet."""


class Settings:
    """What a project may set. All of it is optional."""

    @property
    def resources(self) -> list[str]:
        """RESIDENT_RESOURCES: dotted paths of the project's own resources, in opening order."""
        return _strings("RESIDENT_RESOURCES", getattr(settings, "RESIDENT_RESOURCES", []))

    @property
    def credentials(self) -> list[str]:
        """RESIDENT_CREDENTIALS: environment variables that a process which serves must not keep."""
        return _strings("RESIDENT_CREDENTIALS", getattr(settings, "RESIDENT_CREDENTIALS", []))

    @property
    def masks_logs(self) -> bool:
        """RESIDENT_MASK_LOGS: whether secrets are blotted out of log records; default True."""
        return bool(getattr(settings, "RESIDENT_MASK_LOGS", True))

    @property
    def secrets_backend(self) -> str:
        """RESIDENT_SECRETS["BACKEND"]: dotted path of the class that reads the secrets."""
        backend = self._secrets.get("BACKEND", NO_SECRETS["BACKEND"])
        return str(backend)

    @property
    def secrets_options(self) -> Mapping[str, Any]:
        """RESIDENT_SECRETS["OPTIONS"]: the keyword arguments of that class."""
        return _mapping("RESIDENT_SECRETS['OPTIONS']", self._secrets.get("OPTIONS", {}))

    @property
    def secrets_interval(self) -> float:
        """RESIDENT_SECRETS["INTERVAL"]: seconds between two looks at the secrets; default 30."""
        return _seconds("RESIDENT_SECRETS", self._secrets, "INTERVAL", 30.0)

    @property
    def secrets_max_age(self) -> float | None:
        """RESIDENT_SECRETS["MAX_AGE"]: seconds without a good read after which a worker is not
        ready any more; None (the default) for never.
        """
        if self._secrets.get("MAX_AGE") is None:
            return None
        return _seconds("RESIDENT_SECRETS", self._secrets, "MAX_AGE", 0.0)

    @property
    def has_flags(self) -> bool:
        """Whether RESIDENT_FLAGS is set; where it is not, no worker opens flags at its start."""
        return bool(self._flags)

    @property
    def flipt_namespace(self) -> str:
        """RESIDENT_FLAGS["NAMESPACE"]: the namespace whose flags are served."""
        return str(self._flags.get("NAMESPACE", "default"))

    @property
    def flipt_namespaces(self) -> list[str]:
        """RESIDENT_FLAGS["NAMESPACES"]: further namespaces whose flags can be asked for."""
        name = "RESIDENT_FLAGS['NAMESPACES']"
        further = _strings(name, self._flags.get("NAMESPACES", []))
        return list(dict.fromkeys([self.flipt_namespace, *further]))

    @property
    def flipt_environment(self) -> str:
        """RESIDENT_FLAGS["ENVIRONMENT"]: of Flipt v2; v1 has none and ignores it."""
        return str(self._flags.get("ENVIRONMENT", "default"))

    @property
    def features(self) -> str | None:
        """RESIDENT_FLAGS["FEATURES"]: the features file; None for none."""
        path = self._flags.get("FEATURES")
        return str(path) if path else None

    @property
    def flags_interval(self) -> float:
        """RESIDENT_FLAGS["INTERVAL"]: seconds between two looks at Flipt; default 30."""
        return _seconds("RESIDENT_FLAGS", self._flags, "INTERVAL", 30.0)

    @property
    def features_interval(self) -> float:
        """RESIDENT_FLAGS["FEATURES_INTERVAL"]: seconds between two looks at the file; default 1."""
        return _seconds("RESIDENT_FLAGS", self._flags, "FEATURES_INTERVAL", 1.0)

    @property
    def flags_timeout(self) -> float:
        """RESIDENT_FLAGS["TIMEOUT"]: seconds for one answer of Flipt; default 5."""
        return _seconds("RESIDENT_FLAGS", self._flags, "TIMEOUT", 5.0)

    @property
    def flags_deadline(self) -> float:
        """RESIDENT_FLAGS["DEADLINE"]: seconds that a start waits for Flipt; default 20."""
        return _seconds("RESIDENT_FLAGS", self._flags, "DEADLINE", 20.0)

    @property
    def flags_fetch(self) -> str:
        """RESIDENT_FLAGS["FETCH"]: how changes are had from Flipt.

        "auto" (the default): by a stream where Flipt has one, which v2 has, else by asking again
        and again; "poll": by asking; "stream": as "auto", with a warning where there is none.
        """
        return _one_of("FETCH", self._flags.get("FETCH", "auto"), FETCHES)

    @property
    def flags_last_known(self) -> str | None:
        """RESIDENT_FLAGS["LAST_KNOWN"]: the directory of the last known flags; None for none."""
        path = self._flags.get("LAST_KNOWN")
        return str(path) if path else None

    @property
    def flipt_token_type(self) -> str:
        """RESIDENT_FLAGS["TOKEN_TYPE"]: "client" (the default) or "jwt"."""
        return _one_of("TOKEN_TYPE", self._flags.get("TOKEN_TYPE", "client"), TOKEN_TYPES)

    @property
    def flipt_ca(self) -> str:
        """RESIDENT_FLAGS["CA"]: a file with the CA that signed Flipt's certificate."""
        return str(self._flags.get("CA") or "")

    @property
    def flipt_client_cert(self) -> str:
        """RESIDENT_FLAGS["CLIENT_CERT"]: a file with the certificate that is shown to Flipt."""
        return str(self._flags.get("CLIENT_CERT") or "")

    @property
    def flipt_client_key(self) -> str:
        """RESIDENT_FLAGS["CLIENT_KEY"]: a file with its key, where it is in one of its own."""
        return str(self._flags.get("CLIENT_KEY") or "")

    @property
    def flags_memo(self) -> int:
        """RESIDENT_FLAGS["MEMO"]: how many answers a snapshot remembers; default 10,000."""
        most = self._flags.get("MEMO", 10_000)
        if isinstance(most, bool) or not isinstance(most, int) or most < 0:
            raise ConfigurationError(
                f"RESIDENT_FLAGS['MEMO'] is {most!r}, which is not a number of answers.",
                remedy="give 0 or more.",
            )
        return most

    @property
    def flags_fallback(self) -> str:
        """RESIDENT_FLAGS["FALLBACK"]: what a worker starts on while Flipt is away, and no flags are
        known from earlier.

        "" (the default): it does not start; "features": on the features file; "defaults": on no
        flags at all, so that each `flag_enabled` gives its default.
        """
        fallback = self._flags.get("FALLBACK", "")
        if fallback not in FALLBACKS:
            raise ConfigurationError(
                f"RESIDENT_FLAGS['FALLBACK'] is {fallback!r}, which is not a fallback.",
                remedy=f"use one of {', '.join(map(repr, FALLBACKS))}.",
            )
        return str(fallback)

    @property
    def flags_context(self) -> str:
        """RESIDENT_FLAGS["CONTEXT"]: dotted path of what gives a request's properties."""
        return str(self._flags.get("CONTEXT", "resident.flags.context.of_request"))

    @property
    def flags_cookie(self) -> str:
        """RESIDENT_FLAGS["COOKIE"]: name of the cookie with an anonymous visitor's id."""
        name = self._flags.get("COOKIE", "resident_visitor")
        if not isinstance(name, str) or not COOKIE.fullmatch(name):
            raise ConfigurationError(
                f"RESIDENT_FLAGS['COOKIE'] is {name!r}, which is not the name of a cookie.",
                remedy="use letters, digits, '-' and '_'.",
            )
        return name

    @property
    def resetters(self) -> list[str]:
        """RESIDENT_RESETTERS: dotted paths of what is done after each request, in order."""
        return _strings("RESIDENT_RESETTERS", getattr(settings, "RESIDENT_RESETTERS", RESETTERS))

    @property
    def keep(self) -> list[str]:
        """RESIDENT_KEEP: names of state that is a worker's on purpose, and stays."""
        return _strings("RESIDENT_KEEP", getattr(settings, "RESIDENT_KEEP", []))

    @property
    def flush(self) -> list[str]:
        """RESIDENT_FLUSH: dotted paths of what is as at the worker's start after each request."""
        return _strings("RESIDENT_FLUSH", getattr(settings, "RESIDENT_FLUSH", []))

    @property
    def session(self) -> str:
        """RESIDENT_SESSION: when a persistent database session is reset after a request."""
        return _choice("RESIDENT_SESSION", SESSION)

    @property
    def undo(self) -> str:
        """RESIDENT_UNDO: when changes of the process's state are undone after a request."""
        return _choice("RESIDENT_UNDO", UNDO)

    @property
    def findleaks_exclude(self) -> list[str]:
        """RESIDENT_FINDLEAKS["EXCLUDE"]: regular expressions of paths that are not looked at."""
        options = getattr(settings, "RESIDENT_FINDLEAKS", {})
        exclude = _mapping("RESIDENT_FINDLEAKS", options).get("EXCLUDE", EXCLUDE)
        return [
            _expression("RESIDENT_FINDLEAKS['EXCLUDE']", it)
            for it in _strings("RESIDENT_FINDLEAKS['EXCLUDE']", exclude)
        ]

    @property
    def provision(self) -> Mapping[str, Any]:
        """RESIDENT_PROVISION: whom `manage.py provision` sets up, and with which tokens."""
        return _mapping("RESIDENT_PROVISION", getattr(settings, "RESIDENT_PROVISION", {}))

    @property
    def _secrets(self) -> Mapping[str, Any]:
        return _mapping("RESIDENT_SECRETS", getattr(settings, "RESIDENT_SECRETS", NO_SECRETS))

    @property
    def _flags(self) -> Mapping[str, Any]:
        return _mapping("RESIDENT_FLAGS", getattr(settings, "RESIDENT_FLAGS", {}))


conf = Settings()


def _one_of(name: str, value: object, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ConfigurationError(
            f"RESIDENT_FLAGS[{name!r}] is {value!r}, which is no choice.",
            remedy=f"use one of {', '.join(map(repr, choices))}.",
        )
    return str(value)


def _mapping(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            f"{name} is of type {type(value).__name__}, which is no dict.",
            remedy="see docs/settings.md.",
        )
    return value


def _expression(name: str, text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ConfigurationError(
            f"{name} lists {text!r}, which is no regular expression: {error}.",
            remedy="see docs/settings.md.",
        ) from None
    return text


def _seconds(setting: str, values: Mapping[str, Any], name: str, default: float) -> float:
    seconds = values.get(name, default)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
        raise ConfigurationError(
            f"{setting}[{name!r}] is {seconds!r}, which is not a number of seconds.",
            remedy="give a number greater than 0.",
        )
    return float(seconds)


def _choice(name: str, choices: tuple[str, ...]) -> str:
    """The setting, one of these; the first is the default."""
    value = getattr(settings, name, choices[0])
    if value not in choices:
        raise ConfigurationError(
            f"{name} is {value!r}, which is no choice.",
            remedy=f"use one of {', '.join(map(repr, choices))}.",
        )
    return str(value)


def _strings(name: str, value: object) -> list[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ConfigurationError(
            f"{name} is of type {type(value).__name__}, which is no list of strings.",
            remedy="see docs/settings.md.",
        )
    return list(value)
