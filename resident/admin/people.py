"""Whom the person at a page of the admin may name: other users only where they may view users."""

from typing import Any

from django import forms
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.widgets import AdminTextInputWidget, AutocompleteSelect
from django.contrib.auth import get_permission_codename, get_user_model
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst

__all__ = ["person_field"]

NOBODY_PICKED = "Nobody: a visitor"


def person_field(request: HttpRequest, site: AdminSite) -> forms.Field:
    """A form's field that gives a user, or None.

    Who may view users picks one in the field that the admin itself has for that; where the site
    has no users, or none that are searched for, by typing the name. Anybody else has themselves.
    """
    model = get_user_model()
    users = site.get_model_admin(model) if site.is_registered(model) else None
    if not _may_view(request, users):
        return _Myself(request.user)
    everybody = model._default_manager.all() if users is None else users.get_queryset(request)  # noqa: SLF001 - as everywhere
    if users is not None and users.get_search_fields(request):
        widget = _Picker(LogEntry._meta.get_field("user"), site)  # noqa: SLF001
        field = forms.ModelChoiceField(everybody, required=False, widget=widget, label="User")
        field.error_messages["invalid_choice"] = "There is no such user."
        return field
    return _Named(everybody)


def _may_view(request: HttpRequest, users: "ModelAdmin[Any] | None") -> bool:
    if users is not None:
        return users.has_view_permission(request)
    options = get_user_model()._meta  # noqa: SLF001
    permission = f"{options.app_label}.{get_permission_codename('view', options)}"
    return bool(request.user.has_perm(permission))


class _Picker(AutocompleteSelect):
    """The admin's own, which says what it means where nobody is picked."""

    def optgroups(self, name: str, value: Any, attr: Any = None) -> Any:
        # Asked for what can't be the key of a user, the admin's own would raise.
        return super().optgroups(name, [it for it in value if self._is_choice(it)], attr)

    def build_attrs(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**super().build_attrs(*args, **kwargs), "data-placeholder": NOBODY_PICKED}

    @property
    def media(self) -> forms.Media:
        # Named with what it has to come after.
        return super().media + forms.Media(js=["admin/js/autocomplete.js", "resident/picker.js"])

    def _is_choice(self, value: str) -> bool:
        try:
            self.choices.field.to_python(value)
        except ValidationError:
            return False
        return True


class _Myself(forms.BooleanField):
    """Gives the person at the page where it is ticked."""

    def __init__(self, person: Any) -> None:
        super().__init__(required=False, label=f"As myself, {person.get_username()}")
        self._person = person

    def clean(self, value: Any) -> Any:
        return self._person if super().clean(value) else None


class _Named(forms.CharField):
    """Gives the user whose name is typed: their username, or what else they log in with."""

    def __init__(self, users: QuerySet[Any]) -> None:
        self._users = users
        self._name = users.model.USERNAME_FIELD
        label = capfirst(users.model._meta.get_field(self._name).verbose_name)  # noqa: SLF001
        super().__init__(required=False, label=label, widget=AdminTextInputWidget())

    def clean(self, value: Any) -> Any:
        name = super().clean(value)
        if not name:
            return None
        try:
            return self._users.get(**{self._name: name})
        except (ObjectDoesNotExist, ValueError, TypeError):
            raise ValidationError(f"There is no user {name!r}.", code="unknown") from None
