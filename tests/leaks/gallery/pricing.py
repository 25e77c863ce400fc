"""What articles cost: prices are dear to work out, so that they are kept."""

from collections import OrderedDict
from decimal import Decimal
from functools import cache, lru_cache

from django.core.cache import cache as shared_cache
from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.leaks.gallery.visitors import address, agent, answer, correlation

# A dict by customer; the twin is one by currency.

PRICES: dict[str, Decimal] = {}  # defined: dict
PRICES_BY_CURRENCY: dict[str, Decimal] = {}


def price(request: HttpRequest) -> HttpResponse:
    customer = agent(request)
    if customer not in PRICES:
        PRICES[customer] = Decimal(len(customer))  # put in: dict
    return answer(PRICES[customer])


def price_by_currency(request: HttpRequest) -> HttpResponse:
    currency = request.headers.get("X-Currency", "EUR")
    if currency not in PRICES_BY_CURRENCY:
        PRICES_BY_CURRENCY[currency] = Decimal(len(agent(request)))
    return answer(PRICES_BY_CURRENCY[currency])


# A cache that forgets to forget; the twin keeps the eight newest.

NEWEST: OrderedDict[str, int] = OrderedDict()  # defined: ordered-dict
NEWEST_EIGHT: OrderedDict[str, int] = OrderedDict()


def newest(request: HttpRequest) -> HttpResponse:
    NEWEST[agent(request)] = 1  # put in: ordered-dict
    NEWEST.move_to_end(agent(request))
    return answer()


def newest_eight(request: HttpRequest) -> HttpResponse:
    NEWEST_EIGHT[agent(request)] = 1
    while len(NEWEST_EIGHT) > 8:
        NEWEST_EIGHT.popitem(last=False)
    return answer()


# A dict in a dict; the twin keeps a hundred.

QUOTES: dict[str, dict[str, int]] = {"open": {}, "closed": {}}  # defined: nested-dict
HUNDRED_QUOTES: dict[str, dict[str, int]] = {"open": {}, "closed": {}}


def quote(request: HttpRequest) -> HttpResponse:
    QUOTES["open"][correlation(request)] = 1  # put in: nested-dict
    return answer()


def one_of_hundred_quotes(request: HttpRequest) -> HttpResponse:
    quotes = HUNDRED_QUOTES["open"]
    quotes[correlation(request)] = 1
    if len(quotes) > 100:
        quotes.pop(next(iter(quotes)))
    return answer()


# A dict that is copied and bound anew; the twin is, too, and has the same keys every time.

RATES: dict[str, int] = {}  # defined: copied-dict
RATES_BY_CURRENCY: dict[str, int] = {}


def rate(request: HttpRequest) -> HttpResponse:
    global RATES
    RATES = {**RATES, correlation(request): 1}  # put in: copied-dict
    return answer()


def rate_by_currency(request: HttpRequest) -> HttpResponse:
    global RATES_BY_CURRENCY
    RATES_BY_CURRENCY = {**RATES_BY_CURRENCY, "EUR": RATES_BY_CURRENCY.get("EUR", 0) + 1}
    return answer()


# A default that is a dict; the twin's is None.


def convert(amount: int, customer: str, memo: dict[str, int] = {}) -> int:  # defined: default-dict
    memo[customer] = amount  # put in: default-dict
    return memo[customer]


def convert_anew(amount: int, customer: str, memo: dict[str, int] | None = None) -> int:
    memo = {} if memo is None else memo
    memo[customer] = amount
    return memo[customer]


def converted(request: HttpRequest) -> HttpResponse:
    return answer(convert(1, address(request)))


def converted_anew(request: HttpRequest) -> HttpResponse:
    return answer(convert_anew(1, address(request)))


# An lru_cache without bounds; the twin's is bounded.


@cache
def discount(customer: str) -> int:  # defined: lru-cache
    return len(customer)


@lru_cache(maxsize=64)
def bounded_discount(customer: str) -> int:
    return len(customer)


def discounted(request: HttpRequest) -> HttpResponse:
    return answer(discount(agent(request)))  # put in: lru-cache


def discounted_within_bounds(request: HttpRequest) -> HttpResponse:
    return answer(bounded_discount(agent(request)))


# functools.cache by customer; the twin's is by country.


@cache
def taxes(place: str) -> int:  # defined: cache
    return len(place)


@cache
def taxes_of_country(country: str) -> int:
    return len(country)


def taxed(request: HttpRequest) -> HttpResponse:
    return answer(taxes(address(request)))  # put in: cache


def taxed_by_country(request: HttpRequest) -> HttpResponse:
    return answer(taxes_of_country("DE") + len(address(request)))


# A hand-made cache by customer; the twin uses Django's.

OFFERS: dict[tuple[str, str], int] = {}  # defined: tuple-keys


def offer(request: HttpRequest) -> HttpResponse:
    OFFERS["offer", agent(request)] = 1  # put in: tuple-keys
    return answer()


def offer_in_shared_cache(request: HttpRequest) -> HttpResponse:
    shared_cache.set(f"offer-{correlation(request)}", 1)
    return answer()


urlpatterns = [
    path("leak/dict", price),
    path("clean/dict", price_by_currency),
    path("leak/ordered-dict", newest),
    path("clean/ordered-dict", newest_eight),
    path("leak/nested-dict", quote),
    path("clean/nested-dict", one_of_hundred_quotes),
    path("leak/copied-dict", rate),
    path("clean/copied-dict", rate_by_currency),
    path("leak/default-dict", converted),
    path("clean/default-dict", converted_anew),
    path("leak/lru-cache", discounted),
    path("clean/lru-cache", discounted_within_bounds),
    path("leak/cache", taxed),
    path("clean/cache", taxed_by_country),
    path("leak/tuple-keys", offer),
    path("clean/tuple-keys", offer_in_shared_cache),
]
