"""System checks: what `manage.py check` says about a project that uses resident.

None of them asks a server anything. Those of the databases are also logged when a worker starts,
which knows better how many threads it has.
"""

import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage
from django.db import connections
from django.utils.module_loading import import_string

from resident.conf import conf
from resident.exceptions import ConfigurationError, FlagsError
from resident.flags import features
from resident.flags.context import builder_at
from resident.flags.declaration import BooleanFlag, Declaration, VariantFlag, declared
from resident.isolation.flush import named_state
from resident.isolation.resetters import resetter_at

__all__ = [
    "check_databases",
    "check_flags",
    "check_middleware",
    "check_settings",
    "check_visitors",
]

RESET_STATE = "resident.middleware.ResetStateMiddleware"
SESSION = "django.contrib.sessions.middleware.SessionMiddleware"
LOCALE = "django.middleware.locale.LocaleMiddleware"
VISITOR = "resident.middleware.VisitorMiddleware"
UPDATE_CACHE = "django.middleware.cache.UpdateCacheMiddleware"
COMMON = "django.middleware.common.CommonMiddleware"

MOST_CONNECTIONS = 100
"""What PostgreSQL takes where nobody has set its max_connections."""

GRANIANS_THREADS = 512
"""What a worker of granian's has at most where it is given no --blocking-threads."""


def check_middleware(**_: Any) -> list[CheckMessage]:
    """W001 to W004: whether the middleware stand where they work."""
    return list(_middleware(list(settings.MIDDLEWARE)))


def check_settings(**_: Any) -> list[CheckMessage]:
    """E001: whether settings have their form, and every path leads somewhere.

    What RESIDENT_FLUSH, RESIDENT_RESETTERS and RESIDENT_FLAGS["CONTEXT"] name is imported for that.
    """
    faults = [
        *_faults(lambda: conf.resetters, resetter_at),
        *_faults(lambda: conf.flush, named_state),
        *_faults(lambda: conf.resources, _resource_at),
        *_faults(lambda: conf.keep),
        *_faults(lambda: [conf.session]),
        *_faults(lambda: [conf.undo]),
        *_faults(lambda: conf.findleaks_exclude),
        *_faults(lambda: [str(conf.secrets_interval), str(conf.secrets_max_age)]),
        *_faults(lambda: conf.flipt_namespaces),
        *_faults(lambda: [conf.flags_fetch]),
        *_faults(lambda: [conf.flags_fallback]),
        *_faults(lambda: [conf.flags_context], builder_at),
        *_faults(lambda: [conf.flags_cookie]),
        *_faults(lambda: [conf.flipt_token_type]),
        *_faults(lambda: [str(conf.flags_memo)]),
        *_faults(lambda: [str(conf.flags_interval), str(conf.features_interval)]),
        *_faults(lambda: [str(conf.flags_timeout), str(conf.flags_deadline)]),
    ]
    return [
        checks.Error(fault.problem, hint=_sentence(fault.remedy), id="resident.E001")
        for fault in faults
    ]


def check_databases(**_: Any) -> list[CheckMessage]:
    """W005 to W007: known traps of connections that live longer than a request."""
    return [trap for alias in connections for trap in _traps(alias, connections.settings[alias])]


def check_flags(**_: Any) -> list[CheckMessage]:
    """W008 to W012: whether the flags that are declared in code are those of the features file.

    The modules `flags` of the installed apps are imported for that.
    """
    found = list(declared())
    try:
        return [*_contradictions(found), *_differences(found)]
    except ConfigurationError:
        return []  # check_settings says so


def check_visitors(**_: Any) -> list[CheckMessage]:
    """W013 and W014: whether visitors who have not logged in are told from each other."""
    return list(_visitors(list(settings.MIDDLEWARE)))


def _middleware(listed: list[str]) -> Iterator[CheckMessage]:
    if RESET_STATE not in listed:
        yield _warning("W001", f"MIDDLEWARE does not list {RESET_STATE!r}.", "list it first.")
        return
    if listed[0] != RESET_STATE:
        problem = (
            f"MIDDLEWARE lists {listed[0]!r} before {RESET_STATE!r}, which can't end its state."
        )
        yield _warning("W002", problem, f"list {RESET_STATE!r} first.")
    if listed.count(RESET_STATE) > 1:
        problem = f"MIDDLEWARE lists {RESET_STATE!r} {listed.count(RESET_STATE)} times."
        yield _warning("W003", problem, "list it once, as the first.")
    if not _stand_in_order(listed, SESSION, LOCALE, COMMON):
        problem = f"MIDDLEWARE lists {LOCALE!r} before {SESSION!r}, or after {COMMON!r}."
        remedy = (
            "list it between them: what runs before it is always in the default language, as no "
            "request has the language of the last one any more."
        )
        yield _warning("W004", problem, remedy)


def _stand_in_order(listed: list[str], session: str, locale: str, common: str) -> bool:
    found = [path for path in listed if path in (session, locale, common)]
    wanted = [path for path in (session, locale, common) if path in found]
    return locale not in found or found == wanted


def _faults(
    read: Callable[[], list[str]], resolve: Callable[[str], object] = str
) -> Iterator[ConfigurationError]:
    """What is wrong with a setting, and with each path that it lists."""
    try:
        paths = read()
    except ConfigurationError as error:
        yield error
        return
    for path in paths:
        try:
            resolve(path)
        except ConfigurationError as error:
            yield error


def _resource_at(path: str) -> object:
    try:
        return import_string(path)
    except ImportError as error:
        raise ConfigurationError(
            f"RESIDENT_RESOURCES names {path!r}, which can't be imported: {error}.",
            remedy="name a generator function by its dotted path.",
        ) from None


def _traps(alias: str, database: Mapping[str, Any]) -> Iterator[CheckMessage]:
    engine, options = database["ENGINE"], database["OPTIONS"]
    pool = options.get("pool")
    if "sqlite" not in engine and (pool or database["CONN_MAX_AGE"] != 0):
        yield from _threads(alias, pool)
    if database["CONN_MAX_AGE"] != 0 and options.get("prepare_threshold") is not None:
        problem = (
            f"DATABASES[{alias!r}] keeps its connections and sets 'prepare_threshold': what "
            "discards prepared statements, as DISCARD ALL does, breaks them."
        )
        yield _warning("W006", problem, "leave prepare_threshold out, or CONN_MAX_AGE at 0.")
    if "post" in engine and database["CONN_MAX_AGE"] != 0 and find_spec("psycopg") is None:
        problem = f"DATABASES[{alias!r}] keeps its connections, and only psycopg 3 can reset them."
        yield _warning("W007", problem, "install psycopg, or leave CONN_MAX_AGE at 0.")


def _threads(alias: str, pool: Any) -> Iterator[CheckMessage]:
    threads = blocking_threads(sys.argv, os.environ)
    most = _size_of(pool) if pool else MOST_CONNECTIONS
    if threads is not None and threads > most:
        what = "its pool has" if pool else "PostgreSQL takes by default"
        problem = (
            f"{threads} blocking threads may each want a connection to DATABASES[{alias!r}], "
            f"more than the {most} that {what}."
        )
        yield _warning("W005", problem, "give granian a small number of --blocking-threads.")


def blocking_threads(argv: list[str], environ: Mapping[str, str]) -> int | None:
    """How many threads a worker of granian's has; None where that can't be told."""
    given = [after for option, after in pairwise(argv) if option == "--blocking-threads"]
    given += [it.partition("=")[2] for it in argv if it.startswith("--blocking-threads=")]
    given += [environ.get("GRANIAN_BLOCKING_THREADS", "")]
    numbers = [int(it) for it in given if it.isdecimal()]
    if numbers:
        return numbers[0]
    is_granian = PurePath(argv[0]).name == "granian"
    return GRANIANS_THREADS if is_granian else None


def _size_of(pool: Any) -> int:
    """The most connections that psycopg's pool has, 4 by default."""
    options = pool if isinstance(pool, dict) else {}
    smallest = options.get("min_size", 4)
    return int(options.get("max_size") or smallest)


def _contradictions(found: list[tuple[str, Declaration]]) -> Iterator[CheckMessage]:
    """What is said of one flag in two ways."""
    known: dict[tuple[str, str], tuple[str, Declaration]] = {}
    for place, flag in found:
        first, other = known.setdefault((_namespace_of(flag), flag), (place, flag))
        if not flag.is_like(other):
            problem = f"The flag {str(flag)!r} is declared in two ways: {first} and {place}."
            yield _warning("W011", problem, "declare it once, and import it from there.")


def _visitors(listed: list[str]) -> Iterator[CheckMessage]:
    if VISITOR not in listed:
        for key in _shared():
            problem = (
                f"The flag {key!r} asks who somebody is, and all visitors who have not logged in "
                "are the same one."
            )
            yield _warning("W013", problem, f"list {VISITOR!r} in MIDDLEWARE.")
    elif UPDATE_CACHE in listed[listed.index(VISITOR) :]:
        problem = f"MIDDLEWARE lists {VISITOR!r} before {UPDATE_CACHE!r}: what it keeps is for all."
        yield _warning("W014", problem, f"list {VISITOR!r} after it.")


def _shared() -> list[str]:
    """The flags of the features file whose answer depends on who somebody is."""
    if conf.features is None:
        return []
    try:
        document = features.load(Path(conf.features), namespace=conf.flipt_namespace)
    except FlagsError:
        return []  # W012 tells
    return [flag.key for flag in document.flags if flag.has_percentage]


def _differences(found: list[tuple[str, Declaration]]) -> Iterator[CheckMessage]:
    """What is declared, and otherwise in the features file."""
    if conf.features is None:
        return
    path = Path(conf.features)
    declaring = [_namespace_of(flag) for _, flag in found]
    for namespace in dict.fromkeys([*conf.flipt_namespaces, *declaring]):
        of_namespace = [it for it in found if _namespace_of(it[1]) == namespace]
        try:
            types = {it.key: it.is_boolean for it in features.load(path, namespace=namespace).flags}
            variants = features.variants(path, namespace=namespace)
        except FlagsError as error:
            yield _warning("W012", error.problem, error.remedy)
            continue
        for place, flag in of_namespace:
            yield from _differences_of(flag, place, types, variants)


def _differences_of(
    flag: Declaration,
    place: str,
    types: Mapping[str, bool],
    variants: Mapping[str, Collection[str]],
) -> Iterator[CheckMessage]:
    key, is_boolean = str(flag), isinstance(flag, BooleanFlag)
    if key not in types:
        problem = f"The flag {key!r}, declared as {place}, is not in the features file."
        yield _warning("W008", problem, f"add it to {conf.features}, or declare it no more.")
    elif types[key] != is_boolean:
        kinds = ("boolean", "variant") if is_boolean else ("variant", "boolean")
        problem = (
            f"The flag {key!r} is declared as a {kinds[0]} flag, {place}, and is a {kinds[1]} flag "
            "in the features file: it always gives its default."
        )
        yield _warning("W009", problem, "declare it as what it is.")
    elif isinstance(flag, VariantFlag):
        wanted = dict.fromkeys([*([flag.default] if flag.default else []), *flag.variants])
        if lacking := [it for it in wanted if it not in variants[key]]:
            problem = (
                f"The flag {key!r}, declared as {place}, has no variant "
                f"{', '.join(map(repr, lacking))} in the features file."
            )
            yield _warning("W010", problem, f"add it to {conf.features}, or name another.")


def _namespace_of(flag: Declaration) -> str:
    return flag.namespace or conf.flipt_namespace


def _warning(number: str, problem: str, remedy: str) -> CheckMessage:
    return checks.Warning(problem, hint=_sentence(remedy), id=f"resident.{number}")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
