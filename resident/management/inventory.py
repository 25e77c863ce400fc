"""The flags that a project uses, compared with those that its source has."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.template import engines
from django.template.backends.django import DjangoTemplates

from resident.definitions import is_installed
from resident.flags.uses import (
    TEMPLATE_TAGS,
    Use,
    files_below,
    uses_in_code,
    uses_in_template,
)

__all__ = ["Inventory"]

LIBRARY = "resident.templatetags.flags"
OURS = "resident"


class Inventory:
    """What is used where, and what of it the source has; lives as long as a command.

    Args:
        served: the source's flags, by namespace and key: whether they are boolean.
        otherwise: the namespace of a use that names none.
        only: the namespace to look at; None for all, also those that are not served.
        besides: files and folders that are looked at beside the project's own.

    Attributes:
        notes: the files that could not be looked at, and why.
    """

    def __init__(
        self,
        served: Mapping[str, Mapping[str, bool]],
        *,
        otherwise: str,
        only: str | None = None,
        besides: Iterable[Path] = (),
    ) -> None:
        self._served = {it: flags for it, flags in served.items() if only in (None, it)}
        self._otherwise = otherwise
        self._only = only
        self._besides = list(besides)
        self.notes: list[str] = []

    @property
    def missing(self) -> dict[str, list[Use]]:
        """The uses of flags that the source does not have, by flag."""
        return {name: uses for name, uses in self._used.items() if name not in self._named}

    @property
    def mistaken(self) -> dict[str, list[Use]]:
        """The uses that ask a flag for what it does not answer, by flag."""
        found = {
            name: [it for it in uses if not it.fits(is_boolean=self._named[name])]
            for name, uses in self._used.items()
            if name in self._named
        }
        return {name: uses for name, uses in found.items() if uses}

    @property
    def unused(self) -> list[str]:
        """The flags of the source that nothing uses."""
        return sorted(self._named.keys() - self._used.keys())

    def told(self) -> Iterator[str]:
        """All of it in lines."""
        for name, uses in sorted(self.missing.items()):
            yield f"missing: {name}"
            yield from (f"  {_at(use)}: {use.by}" for use in uses)
        for name, uses in sorted(self.mistaken.items()):
            kind = "boolean" if self._named[name] else "variant"
            yield f"mistaken: {name} is a {kind} flag"
            yield from (f"  {_at(use)}: {use.by}" for use in uses)
        for name in self.unused:
            yield f"unused: {name}"
        if self._untold:
            yield "not looked at, as the key comes from a variable:"
            yield from (f"  {_at(use)}: {use.by}" for use in self._untold)
        found = sum(map(len, self._used.values()))
        times = "once" if found == 1 else f"{found} times"
        yield f"Flags are named {times} here; the source has {len(self._named)}."

    def as_json(self) -> dict[str, Any]:
        """All of it for a script."""
        return {
            "missing": {name: _places(uses) for name, uses in sorted(self.missing.items())},
            "mistaken": {name: _places(uses) for name, uses in sorted(self.mistaken.items())},
            "unused": self.unused,
            "used": {
                name: _places(uses)
                for name, uses in sorted(self._used.items())
                if name in self._named
            },
            "unknown": _places(self._untold),
        }

    @cached_property
    def _named(self) -> dict[str, bool]:
        return {
            self._name(key, namespace): is_boolean
            for namespace, flags in self._served.items()
            for key, is_boolean in flags.items()
        }

    @cached_property
    def _used(self) -> dict[str, list[Use]]:
        used = defaultdict(list)
        for use in self._uses:
            if use.key is not None:
                used[self._name(use.key, use.namespace)].append(use)
        return dict(used)

    @property
    def _untold(self) -> list[Use]:
        return [use for use in self._uses if use.key is None]

    def _name(self, key: str, namespace: str | None) -> str:
        """What a flag is called here: with its namespace, if it is not in the usual one."""
        return key if namespace in (None, self._otherwise) else f"{namespace}/{key}"

    @cached_property
    def _uses(self) -> list[Use]:
        found = [*self._in_code(), *self._in_templates()]
        return [it for it in found if self._only in (None, it.namespace or self._otherwise)]

    def _in_code(self) -> Iterator[Use]:
        for path in _files([*_code(), *self._besides]):
            if path.suffix == ".py":
                try:
                    yield from uses_in_code(path)
                except (OSError, SyntaxError, ValueError) as error:
                    self.notes.append(f"{_shown(path)} could not be looked at: {error}")

    def _in_templates(self) -> Iterator[Use]:
        for path in _files([*_templates(), *self._besides]):
            if path.suffix != ".py":
                try:
                    yield from uses_in_template(path, _built_in())
                except UnicodeDecodeError:
                    continue  # an image beside the templates
                except OSError as error:
                    self.notes.append(f"{_shown(path)} could not be looked at: {error}")


def _files(places: Iterable[Path]) -> list[Path]:
    """The files of these places, once each."""
    found = ([it] if it.is_file() else files_below(it) for it in places)
    return list(dict.fromkeys(path.resolve() for files in found for path in files))


def _code() -> Iterator[Path]:
    """Where the project's own code is: its apps, and what holds its settings and URLs."""
    for app in _apps():
        yield Path(app.path)
    for name in (getattr(settings, "SETTINGS_MODULE", None), settings.ROOT_URLCONF):
        module = import_module(name.partition(".")[0]) if isinstance(name, str) else None
        if not is_installed(module) and not _is_ours(module):
            yield from map(Path, getattr(module, "__path__", [getattr(module, "__file__", "")]))


def _templates() -> Iterator[Path]:
    """Where the project's own templates are."""
    for engine in _engines():
        yield from map(Path, engine.engine.dirs)
    for app in _apps():
        yield Path(app.path, "templates")


def _apps() -> Iterator[AppConfig]:
    for app in apps.get_app_configs():
        if not is_installed(app.module) and not _is_ours(app.module):
            yield app


def _built_in() -> set[str]:
    """The tags that every template has without loading them."""
    has_ours = any(LIBRARY in engine.engine.builtins for engine in _engines())
    return TEMPLATE_TAGS if has_ours else set()


def _engines() -> list[DjangoTemplates]:
    return [it for it in engines.all() if isinstance(it, DjangoTemplates)]


def _is_ours(module: ModuleType | None) -> bool:
    return module is not None and module.__name__.partition(".")[0] == OURS


def _places(uses: Iterable[Use]) -> list[dict[str, Any]]:
    return [{"file": _shown(it.path), "line": it.line, "by": it.by} for it in uses]


def _at(use: Use) -> str:
    return f"{_shown(use.path)}:{use.line}"


def _shown(path: Path) -> str:
    """The path as one would write it here."""
    here = Path.cwd()
    return os.fspath(path.relative_to(here) if path.is_relative_to(here) else path)
