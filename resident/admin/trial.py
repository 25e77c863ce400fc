"""What a flag would answer to somebody, asked on its page. That changes and counts nothing."""

from functools import cached_property
from typing import Any

from django import forms
from django.contrib.admin import AdminSite
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from resident.admin.people import person_field
from resident.flags.context import subject_of
from resident.flags.document import Flag
from resident.flags.explanation import Explanation, Step, Verdict
from resident.flags.snapshot import Snapshot
from resident.flags.subject import Subject

__all__ = ["Trial"]

OF_THE_PERSON = ("HTTP_COOKIE", "HTTP_AUTHORIZATION", "REMOTE_USER")


class Trial:
    """One question on the page of a flag, and its answer; lives as long as the page.

    Attributes:
        form: who is asked about.
        is_asked: whether the query of the page asks anything.
    """

    def __init__(
        self, request: HttpRequest, site: AdminSite, snapshot: Snapshot, flag: Flag
    ) -> None:
        self._request = request
        self._snapshot = snapshot
        self._flag = flag
        person = person_field(request, site)
        self.is_asked = any(name in request.GET for name in ("person", "entity", "context"))
        self.form = _Form(request.GET if self.is_asked else None, person=person, flag=flag)

    @property
    def media(self) -> forms.Media:
        """What the form needs."""
        return self.form.media

    @cached_property
    def subject(self) -> Subject | None:
        """Who is asked about; None where the query does not say so, or not well."""
        if not self.is_asked or not self.form.is_valid():
            return None
        asked = self.form.cleaned_data
        request = _request_of(asked["person"], self._request)
        try:
            return subject_of(self._flag, request, asked["entity"] or None, asked["context"])
        except Exception as error:  # noqa: BLE001 - a builder of the project's may raise anything
            problem = f"The context of that user can't be built: {type(error).__name__}: {error}"
            self.form.add_error(None, problem)
            return None

    @cached_property
    def verdict(self) -> Verdict | None:
        """What the flag answers, and why; None where nobody was asked about."""
        if self.subject is None:
            return None
        return Verdict(self._flag, self._snapshot.answer(self._flag.key, self.subject))

    @property
    def entity_id(self) -> str:
        """The entity's id; "" where the flag does not look at it."""
        by_id, _ = self._flag.asks_for
        return self.subject.entity_id if self.subject and by_id else ""

    def told(self) -> list[tuple[Step, str]]:
        """The steps of the flag, with what came of each; "" where nobody was asked about."""
        if self.verdict is not None:
            return self.verdict.told
        return [(step, "") for step in Explanation(self._flag).steps]


class _Context(forms.CharField):
    """Lines of `key = value`; gives a dict."""

    def clean(self, value: Any) -> Any:
        context: dict[str, str] = {}
        for number, line in enumerate(super().clean(value).splitlines(), start=1):
            key, equals, text = (part.strip() for part in line.partition("="))
            if not line.strip():
                continue
            if not equals or not key:
                raise ValidationError(f"Line {number}: write {line.strip()!r} as key = value.")
            if key in context:
                raise ValidationError(f"Line {number}: {key!r} stands twice.")
            context[key] = text
        return context


class _Form(forms.Form):
    """Who is asked about: a user, or nobody known; with an entity id and a context instead of
    theirs.
    """

    entity = forms.CharField(
        required=False,
        label="Entity id",
        help_text="Instead of the user's primary key; without either it is anonymous.",
        widget=AdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    context = _Context(required=False, widget=AdminTextareaWidget(attrs={"rows": 4}))

    def __init__(self, data: Any, *, person: forms.Field, flag: Flag) -> None:
        super().__init__(data, label_suffix="")
        self.fields = {"person": person, **self.fields}
        self.fields["context"].help_text = _hint(flag)


def _hint(flag: Flag) -> str:
    names = Explanation(flag).properties
    if not names:
        return "It looks at no property."
    return f"It looks at {', '.join(names)}. One a line, as in: {names[0]} = value"


def _request_of(person: Any, request: HttpRequest) -> HttpRequest:
    """A request as that user could make it, to the same host: with a session of its own that is
    empty, and nothing of the one who asks.
    """
    made = HttpRequest()
    made.META = {name: it for name, it in request.META.items() if name not in OF_THE_PERSON}
    made.method = "GET"
    made.path = made.path_info = "/"
    made.user = AnonymousUser() if person is None else person
    made.session = SessionBase()
    return made
