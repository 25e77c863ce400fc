"""A setting that is wrong is named, with its value and the remedy."""

from collections.abc import Callable

import pytest
from django.test import override_settings

from resident.conf import conf
from resident.exceptions import ConfigurationError
from resident.resources import resources


@pytest.mark.parametrize(
    ("name", "value", "ask", "message"),
    [
        ("RESIDENT_SECRETS", [], lambda: conf.secrets_backend, "RESIDENT_SECRETS is of type list"),
        (
            "RESIDENT_SECRETS",
            {"OPTIONS": []},
            lambda: conf.secrets_options,
            r"RESIDENT_SECRETS\['OPTIONS'\] is of type list",
        ),
        ("RESIDENT_FLAGS", "on", lambda: conf.has_flags, "RESIDENT_FLAGS is of type str"),
        ("RESIDENT_PROVISION", 1, lambda: conf.provision, "RESIDENT_PROVISION is of type int"),
        ("RESIDENT_RESOURCES", "shop", lambda: conf.resources, "RESIDENT_RESOURCES is of type str"),
        ("RESIDENT_CREDENTIALS", [1], lambda: conf.credentials, "RESIDENT_CREDENTIALS is of type"),
        (
            "RESIDENT_FLAGS",
            {"FALLBACK": "prayer"},
            lambda: conf.flags_fallback,
            r"\['FALLBACK'\] is 'prayer'(.|\n)*'features', 'defaults'",
        ),
        (
            "RESIDENT_FLAGS",
            {"INTERVAL": "30"},
            lambda: conf.flags_interval,
            r"\['INTERVAL'\] is '30', which is not a number of seconds",
        ),
        ("RESIDENT_FLAGS", {"TIMEOUT": 0}, lambda: conf.flags_timeout, r"\['TIMEOUT'\] is 0"),
        ("RESIDENT_FLAGS", {"DEADLINE": True}, lambda: conf.flags_deadline, r"is True"),
        (
            "RESIDENT_FLAGS",
            {"FETCH": "push"},
            lambda: conf.flags_fetch,
            r"\['FETCH'\] is 'push'(.|\n)*'auto', 'poll', 'stream'",
        ),
        (
            "RESIDENT_FLAGS",
            {"TOKEN_TYPE": "oidc"},
            lambda: conf.flipt_token_type,
            r"\['TOKEN_TYPE'\] is 'oidc'(.|\n)*'client', 'jwt'",
        ),
        (
            "RESIDENT_FLAGS",
            {"NAMESPACES": "shop"},
            lambda: conf.flipt_namespaces,
            r"\['NAMESPACES'\] is of type str, which is no list",
        ),
        ("RESIDENT_FLAGS", {"MEMO": -1}, lambda: conf.flags_memo, r"\['MEMO'\] is -1"),
        ("RESIDENT_FLAGS", {"MEMO": True}, lambda: conf.flags_memo, r"\['MEMO'\] is True"),
        (
            "RESIDENT_SECRETS",
            {"INTERVAL": 0},
            lambda: conf.secrets_interval,
            r"RESIDENT_SECRETS\['INTERVAL'\] is 0, which is not a number of seconds",
        ),
        (
            "RESIDENT_SECRETS",
            {"MAX_AGE": "1h"},
            lambda: conf.secrets_max_age,
            r"'MAX_AGE'\] is '1h'",
        ),
        ("RESIDENT_RESOURCES", ["no.such"], resources, "RESIDENT_RESOURCES names 'no.such'"),
    ],
)
def test_a_wrong_setting(name: str, value: object, ask: Callable[[], object], message: str) -> None:
    with override_settings(**{name: value}), pytest.raises(ConfigurationError, match=message):
        ask()


def test_nothing_need_be_set() -> None:
    """Then resident only isolates: there is no secret, no flag, and nothing to open but that."""
    with override_settings():
        from django.conf import settings  # noqa: PLC0415 - the overridden ones

        for name in ("SECRETS", "FLAGS", "RESOURCES", "CREDENTIALS", "PROVISION"):
            if hasattr(settings, f"RESIDENT_{name}"):
                delattr(settings, f"RESIDENT_{name}")
        assert [resource.__name__ for resource in resources()] == ["secrets"]
        assert conf.secrets_options == {"values": {}}
        assert conf.credentials == []
        assert not conf.provision
        assert conf.features is None
        assert (conf.flags_interval, conf.features_interval) == (30.0, 1.0)
        assert (conf.flags_fetch, conf.flipt_token_type) == ("auto", "client")
        assert (conf.flags_last_known, conf.flags_memo) == (None, 10_000)
        assert (conf.flipt_ca, conf.flipt_client_cert, conf.flipt_client_key) == ("", "", "")


def test_the_namespace_that_is_meant_comes_first_and_none_twice() -> None:
    with override_settings(RESIDENT_FLAGS={"NAMESPACE": "shop", "NAMESPACES": ["mail", "shop"]}):
        assert conf.flipt_namespaces == ["shop", "mail"]
        assert (conf.secrets_interval, conf.secrets_max_age) == (30.0, None)
