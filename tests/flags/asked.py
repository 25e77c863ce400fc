"""A features file of flags that depend on all kinds of things, and requests that ask them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.test import RequestFactory, override_settings

from resident.flags.asking import failures

__all__ = ["FEATURES", "Untouched", "asked_by", "served"]

FEATURES = """
flags:
  - {key: launched, name: Launched, type: BOOLEAN_FLAG_TYPE, enabled: true}
  - {key: withdrawn, name: Withdrawn, type: BOOLEAN_FLAG_TYPE, enabled: false}
  - key: staff_only
    name: Staff only
    type: BOOLEAN_FLAG_TYPE
    rollouts: [{segment: {key: staff, value: true}}]
  - key: half
    name: Half
    type: BOOLEAN_FLAG_TYPE
    rollouts: [{threshold: {percentage: 50, value: true}}]
  - key: authors_only
    name: Authors only
    type: BOOLEAN_FLAG_TYPE
    rollouts: [{segment: {key: authors, value: true}}]
  - key: in_basket
    name: In the basket
    type: BOOLEAN_FLAG_TYPE
    rollouts: [{segment: {key: basket, value: true}}]
  - key: style
    name: Style
    enabled: true
    variants: [{key: loud, attachment: {mark: "!"}}, {key: plain}]
    rules: [{segment: pro, distributions: [{variant: loud, rollout: 100}]}]
  - key: shades
    name: Shades
    enabled: true
    variants: [{key: light}, {key: dark}]
    rules:
      - segment: everybody
        distributions: [{variant: light, rollout: 50}, {variant: dark, rollout: 50}]
segments:
  - {key: everybody, name: Everybody, match_type: ALL_MATCH_TYPE}
  - key: staff
    name: Staff
    match_type: ALL_MATCH_TYPE
    constraints: [{type: BOOLEAN_COMPARISON_TYPE, property: is_staff, operator: "true"}]
  - key: authors
    name: Authors
    match_type: ALL_MATCH_TYPE
    constraints:
      - {type: STRING_COMPARISON_TYPE, property: groups, operator: contains, value: authors}
  - key: basket
    name: The basket
    match_type: ALL_MATCH_TYPE
    constraints:
      - {type: STRING_COMPARISON_TYPE, property: path, operator: prefix, value: /basket}
      - {type: STRING_COMPARISON_TYPE, property: method, operator: eq, value: GET}
      - {type: STRING_COMPARISON_TYPE, property: host, operator: suffix, value: server}
      - {type: STRING_COMPARISON_TYPE, property: language, operator: isoneof, value: '["en", "de"]'}
      - {type: STRING_COMPARISON_TYPE, property: user_id, operator: empty}
  - key: pro
    name: Pro
    match_type: ANY_MATCH_TYPE
    constraints:
      - {type: STRING_COMPARISON_TYPE, property: plan, operator: eq, value: pro}
      - {type: NUMBER_COMPARISON_TYPE, property: seats, operator: gte, value: "10"}
"""


@contextmanager
def served(folder: Path, **options: Any) -> Iterator[Path]:
    """The flags of the features file are served; gives the file."""
    failures._said.clear()  # what other tests made it say
    path = folder / "features.yml"
    path.write_text(FEATURES)
    with override_settings(RESIDENT_FLAGS={"FEATURES": path, **options}):
        yield path


def asked_by(user: Any, path: str = "/", **more: Any) -> HttpRequest:
    """A request of this user's."""
    request = RequestFactory().get(path, **more)
    request.user = user
    return request


class Untouched(AnonymousUser):
    """A user who notes what was looked at: that would cost a query, and vary the response."""

    def __init__(self) -> None:
        self.__dict__["looked_at"] = []

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("is_") or name in {"pk", "groups"}:
            self.__dict__["looked_at"].append(name)
        return super().__getattribute__(name)
