"""The contents of a secret name the place they are from, and never a value."""

import pytest

from resident.exceptions import ConfigurationError
from resident.secrets import MissingKeyError, Secret, Secrets
from resident.secrets.environment import Environment
from tests.evidence import PASSWORD

contents = Secrets(
    {"password": Secret(PASSWORD), "user": Secret("shop")},
    source="Vault at http://vault:8200",
    path="secret/shop",
    version=3,
)


def test_is_a_mapping() -> None:
    assert contents["password"].reveal() == PASSWORD
    assert sorted(contents) == ["password", "user"]
    assert len(contents) == 2
    assert contents.get("token") is None


def test_shows_no_value() -> None:
    assert PASSWORD not in repr(contents) + str(contents) + f"{contents}" + str(dict(contents))


def test_a_missing_key_names_path_version_and_key() -> None:
    with pytest.raises(MissingKeyError) as caught:
        contents.require(["password", "token"])
    assert str(caught.value) == (
        "Vault at http://vault:8200, secret 'secret/shop' version 3 has no key 'token'.\n"
        "To do: add the key there; it has 'password', 'user'."
    )
    assert caught.value.__context__ is None


class TestEnvironment:
    def test_gives_what_the_settings_give_it(self) -> None:
        environment = Environment(values={"a": "one", "b": Secret("two"), "c": "", "d": None})
        assert {key: value.reveal() for key, value in environment.read().items()} == {
            "a": "one",
            "b": "two",
        }
        environment.close()

    def test_a_required_key(self) -> None:
        environment = Environment(values={"a": ""}, required=["a"])
        with pytest.raises(MissingKeyError, match=r"The environment has no key 'a'(.|\n)*none"):
            environment.read()

    def test_a_value_that_is_no_string(self) -> None:
        with pytest.raises(ConfigurationError, match="'port' is of type int, not a string"):
            Environment(values={"port": 8080})  # type: ignore[dict-item]
