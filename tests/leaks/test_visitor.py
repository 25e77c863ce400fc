"""A user of any model is copied for each request, as far as the model allows it."""

import datetime as dt
from collections.abc import Iterator

import pytest
from django.test import override_settings

from resident.exceptions import LeaksError
from resident.leaks.environ import Tokens
from resident.leaks.visitor import Visitor
from tests.leaks.people import Author, Contract, Employee, Person, tables, those

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _tables() -> Iterator[None]:
    with tables():
        yield


def test_what_is_unique_is_made_of_the_token() -> None:
    born = dt.date(1815, 12, 10)
    those(Person).create(email="ada@example.com", phone="1", number=1, born=born)
    tokens = Tokens()
    with override_settings(AUTH_USER_MODEL="greeting.Person"):
        visitor = Visitor("ada@example.com")
        with visitor.arrive(tokens) as arrival:
            made = those(Person).exclude(email="ada@example.com").get()
    assert visitor.notes == []
    assert made.pk.hex == tokens.word
    assert made.email == f"{tokens.word}@example.com"
    assert made.phone == tokens.word[:8]
    assert made.born is None
    assert arrival.numbers == (made.number,)
    assert {tokens.word, str(made.pk)} <= set(arrival.strings)
    # A few characters may be somebody else's by chance.
    assert made.phone not in arrival.strings


def test_a_model_that_is_derived_from_another() -> None:
    author = those(Author).create(name="ada")
    employee = those(Employee).create(name="charles", day=dt.date(1791, 12, 26))
    those(Contract).create(author=author, employee=employee)
    with override_settings(AUTH_USER_MODEL="greeting.Author"):
        visitor = Visitor("ada")
        copy = visitor._copied(copying := visitor._new_copy(Tokens()))
    assert visitor.notes == []
    assert copy == those(Author).exclude(pk=author.pk).get()
    assert copying.numbers == (copy.pk,)
    assert not copy.colleagues.exists()


def test_a_model_that_allows_no_other_like_it() -> None:
    those(Employee).create(name="ada", day=dt.date(1815, 12, 10))
    with override_settings(AUTH_USER_MODEL="greeting.Employee"):
        visitor = Visitor("ada")
        copies = [visitor._copied(visitor._new_copy(Tokens())) for _ in range(2)]
    assert copies == [None, None]
    assert visitor.notes == [
        "No user like 'ada' could be made for each request (LeaksError), so they make all of them."
    ]


def test_a_database_that_is_not_ready() -> None:
    with (
        override_settings(AUTH_USER_MODEL="greeting.Stranger"),
        pytest.raises(LeaksError, match=r"'ada' can't be looked up: no such table(.|\n)*migrate"),
    ):
        Visitor("ada")
