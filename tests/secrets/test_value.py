"""A secret shows itself to nobody who does not ask for it by name."""

import copy
import json
import logging
import pickle
import pprint
import traceback

import pytest
from django.test import RequestFactory
from django.views.debug import technical_500_response

from resident.secrets import Secret
from tests.evidence import PASSWORD

secret = Secret(PASSWORD)


@pytest.mark.parametrize(
    "shown",
    [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{secret:>40}",
        "{}".format(secret),  # noqa: UP032
        "%s %r" % (secret, secret),  # noqa: UP031
        pprint.pformat({"password": secret}),
        repr([secret]),
        repr(dir(secret)),
    ],
)
def test_is_masked_as_text(shown: str) -> None:
    assert PASSWORD not in shown


def test_is_masked_in_logs(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("shop").warning("connecting with %s, %r", secret, {"password": secret})
    assert PASSWORD not in caplog.text
    assert "**********" in caplog.text


def test_is_masked_in_a_traceback_with_variables_and_on_the_debug_page() -> None:
    try:
        local = secret
        raise RuntimeError(local)
    except RuntimeError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        page = technical_500_response(
            RequestFactory().get("/"), type(error), error, error.__traceback__
        )
    assert PASSWORD not in "".join(told.format())
    assert PASSWORD not in page.content.decode()
    assert "**********" in page.content.decode()


def test_is_not_taken_apart() -> None:
    with pytest.raises(TypeError):
        vars(secret)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    assert copy.copy(secret) is secret
    assert copy.deepcopy({"password": secret})["password"] is secret


def test_does_not_change() -> None:
    with pytest.raises(AttributeError, match="does not change"):
        secret.value = "other"
    with pytest.raises(AttributeError, match="does not change"):
        del secret._Secret__value  # type: ignore[attr-defined]


def test_reveals_itself_when_asked() -> None:
    assert secret.reveal() == PASSWORD


def test_compares_with_secrets_alone() -> None:
    assert secret == Secret(PASSWORD)
    assert secret != Secret("other")
    assert secret != PASSWORD
    assert len({secret, Secret(PASSWORD)}) == 1
    assert secret
    assert not Secret("")
