"""Errors, looked at as a curious reader would: with the variables of every frame."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from resident.exceptions import ProvisionError
from tests.evidence import BOOTSTRAP_TOKEN, PASSWORD, ROOT_TOKEN, WRONG_PASSWORD

SECRETS = (ROOT_TOKEN, PASSWORD, WRONG_PASSWORD, BOOTSTRAP_TOKEN)


@contextmanager
def discreet_failure(match: str, *, secrets: tuple[str, ...] = SECRETS) -> Iterator[None]:
    """Expect a ProvisionError that tells no secret: in no text, in no frame, in no context.

    Args:
        match: a regular expression for the error's text.
        secrets: what must not be found.
    """
    with pytest.raises(ProvisionError, match=match) as caught:
        yield
    error = caught.value
    assert error.remedy
    assert error.__cause__ is None
    assert error.__context__ is None
    for text in (str(error), repr(error), *_frames(error)):
        for secret in secrets:
            assert secret not in text


def _frames(error: BaseException) -> Iterator[str]:
    """The variables of every frame but the tests' own, which know the secrets of course."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    for frame in told.stack:
        if "/tests/" not in frame.filename:
            yield str(frame.locals)
