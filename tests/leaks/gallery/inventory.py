"""Every leak of the gallery, and what a report must say of it."""

import tempfile
from dataclasses import dataclass

from tests.leaks.gallery import jobs

__all__ = ["PLANTED", "Planted"]

GLOBAL, CLASS, DEFAULT = "module global", "class attribute", "function default"
CLOSURE, FUNCTION, CACHE = "closure", "function attribute", "lru_cache"
INSTANCE, CONTEXT, LOCAL = "instance attribute", "context variable", "thread-local"
CONNECTION, SESSION = "database connection", "database session"
RECEIVER, HANDLER, FILTER, LOGGER = (
    "signal receiver",
    "logging handler",
    "logging filter",
    "logger",
)
THREAD, FILE, SOCKET, PIPE = "thread", "open file", "socket", "pipe"
ENVIRONMENT, STATE, EXIT = "environment", "process state", "exit handler"
MODULE, COLLECTOR = "module", "garbage collector callback"
FINALIZER, KEPT = "finalizer", "kept object"


@dataclass(frozen=True)
class Planted:
    """A leak that is there on purpose, with a twin that looks alike and is clean.

    Args:
        slug: of its page, of the twin's, and of its marks in the source.
        kind: as the report has it.
        name: as the report has it; `shop` stands for the gallery's package.
        raw: whether resident's resetters would put it back.
        user: whether its page is for those who have signed in.
        warm_up: how many requests an hour's worth is: fewer where each leaves what is scarce, or a
            burden on all that come later.
    """

    slug: str
    kind: str
    name: str
    raw: bool = False
    user: bool = False
    warm_up: int = 500

    def __str__(self) -> str:
        return self.slug

    @property
    def full_name(self) -> str:
        package = __name__.rpartition(".")[0]
        is_own = self.name.startswith("shop.")
        return f"{package}.{self.name.removeprefix('shop.')}" if is_own else self.name


PLANTED = [
    Planted("dict", GLOBAL, "shop.pricing.PRICES['…']"),
    Planted("ordered-dict", GLOBAL, "shop.pricing.NEWEST['…']"),
    Planted("nested-dict", GLOBAL, "shop.pricing.QUOTES['open']['…']"),
    Planted("copied-dict", GLOBAL, "shop.pricing.RATES['…']"),
    Planted("tuple-keys", GLOBAL, "shop.pricing.OFFERS['…']"),
    Planted("list", GLOBAL, "shop.history.LOG[…]"),
    Planted("set", GLOBAL, "shop.history.VISITORS[…]"),
    Planted("deque", GLOBAL, "shop.history.NUMBERS[…]"),
    Planted("by-two", GLOBAL, "shop.history.STEPS[…]"),
    Planted("tuple", GLOBAL, "shop.history.TRAIL[…]"),
    Planted("str", GLOBAL, "shop.history.JOURNAL"),
    Planted("bytearray", GLOBAL, "shop.history.RECORD[…]"),
    Planted("by-id", GLOBAL, "shop.history.RUNNING['…']"),
    Planted("streaming", GLOBAL, "shop.history.CHUNKS[…]"),
    Planted("async", GLOBAL, "shop.history.WAITING[…]"),
    Planted("counter", GLOBAL, "shop.figures.HITS['…']"),
    Planted("defaultdict", GLOBAL, "shop.figures.BASKETS['…']"),
    Planted("list-in-dict", GLOBAL, "shop.figures.EVENTS['login'][…]"),
    Planted("rebound-name", GLOBAL, "shop.state.LAST_VISITOR"),
    Planted("response", GLOBAL, "shop.state.LAST_ANSWER"),
    Planted("rebound-request", GLOBAL, "shop.state.LAST_REQUEST"),
    Planted("rebound-object", GLOBAL, "shop.state.TILL"),
    Planted("literal-key", GLOBAL, "shop.state.CURRENT['user']"),
    Planted("exception", GLOBAL, "shop.state.LAST_ERROR"),
    Planted("generator", GLOBAL, "shop.state.FEED"),
    Planted("objects", GLOBAL, "shop.state.TILLS['…']"),
    Planted("pool", GLOBAL, "shop.state.POOL[…]"),
    Planted("classes", GLOBAL, "shop.state.FORMS['…']"),
    Planted("user-by-key", GLOBAL, "shop.state.ONLINE['…']", user=True),
    Planted("session", GLOBAL, "shop.state.LAST_SESSION", user=True),
    Planted("partial", GLOBAL, "shop.basket.AFTERWARDS[…]"),
    Planted("bound-method", GLOBAL, "shop.basket.SAVING[…]"),
    Planted("locks", GLOBAL, "shop.basket.LOCKS['…']"),
    Planted("kept-file", GLOBAL, "shop.jobs.EXPORTS[…]"),
    Planted("view-class", CLASS, "shop.catalogue.Article.recent[…]"),
    Planted("model-class", CLASS, "shop.catalogue.Customer.current"),
    Planted("form-class", CLASS, "shop.catalogue.OrderForm.declared_fields['shop']._choices[…]"),
    Planted("register", CLASS, "shop.catalogue.Offer.made['…']"),
    Planted("metaclass", CLASS, "shop.catalogue.Meta.asked[…]"),
    Planted("lazy-user", CLASS, "shop.catalogue.Guest.last"),
    Planted("user-on-class", CLASS, "shop.catalogue.Till.cashier", user=True),
    Planted("queryset", CLASS, "shop.catalogue.Crowd.everybody", user=True),
    Planted("default-list", DEFAULT, "shop.basket.add(items)[…]"),
    Planted("default-dict", DEFAULT, "shop.pricing.convert(memo)['…']"),
    Planted("default-by-name", DEFAULT, "shop.basket.note(seen)[…]"),
    Planted("closure-list", CLOSURE, "shop.basket.recorder.<locals>.record(entries)[…]"),
    Planted("closure-nonlocal", CLOSURE, "shop.basket.comparison.<locals>.compare(last)"),
    Planted(
        "middleware-closure",
        CLOSURE,
        "shop.middleware.journal.<locals>.middleware(entries)[…]",
    ),
    Planted(
        "initkwargs", CLOSURE, "shop.catalogue.about(initkwargs)['extra_context']['visitors'][…]"
    ),
    Planted("function-list", FUNCTION, "shop.figures.track.calls[…]"),
    Planted("function-attribute", FUNCTION, "shop.figures.greet.last"),
    Planted("lru-cache", CACHE, "shop.pricing.discount"),
    Planted("cache", CACHE, "shop.pricing.taxes"),
    Planted("lru-cache-method", CACHE, "shop.basket.Bill.total"),
    Planted("lru-cache-request", CACHE, "shop.basket.may_buy"),
    Planted("lru-cache-user", CACHE, "shop.basket.allowance", user=True),
    Planted("instance", INSTANCE, "shop.searching.engine.cache['…']"),
    Planted("instance-below", INSTANCE, "shop.searching.service.index.words[…]"),
    Planted("slots", INSTANCE, "shop.searching.ranking.seen[…]"),
    Planted("instance-request", INSTANCE, "shop.searching.suggestion.request"),
    Planted("middleware-list", INSTANCE, "shop.middleware.Tenant.seen[…]"),
    Planted("middleware-request", INSTANCE, "shop.middleware.Audit.last"),
    Planted("template-tag", INSTANCE, "shop.shop_tags.RecentNode.seen[…]"),
    Planted("context-variable", CONTEXT, "shop.tenancy.current", raw=True),
    Planted("context-default", CONTEXT, "shop.tenancy.basket[…]"),
    Planted("language", CONTEXT, "django.utils.translation.trans_real._active.value", raw=True),
    Planted("time-zone", CONTEXT, "django.utils.timezone._active.value", raw=True),
    Planted("thread-local", LOCAL, "shop.tenancy._local.user", raw=True),
    Planted("thread-local-class", LOCAL, "shop.tenancy.state.stack[…]", raw=True),
    Planted("local", CONTEXT, "shop.tenancy.drawer.tenant", raw=True),
    Planted("connection", CONNECTION, "connections['default'].tenant", raw=True),
    Planted(
        "execute-wrapper",
        CONNECTION,
        "connections['default'].execute_wrappers[…]",
        raw=True,
        warm_up=50,  # each is a frame more for every query
    ),
    Planted("session-sql", SESSION, "connections['default']: PRAGMA cache_size", raw=True),
    Planted("receiver", RECEIVER, "shop.bells.sold.receivers[…]", warm_up=50),
    Planted(
        "receiver-of-django",
        RECEIVER,
        "django.core.signals.request_finished.receivers[…]",
        warm_up=50,
    ),
    Planted("lambda", RECEIVER, "shop.bells.sold.receivers[…]", warm_up=50),
    Planted("log-handler", HANDLER, "logging.getLogger('shop').handlers[…]", raw=True, warm_up=50),
    Planted("log-filter", FILTER, "logging.getLogger('shop').filters[…]", raw=True, warm_up=50),
    Planted("logger", LOGGER, "logging.root.manager.loggerDict['…']"),
    Planted("thread", THREAD, "shop.jobs.poll", warm_up=50),
    Planted("timer", THREAD, "shop.jobs.remind", warm_up=50),
    Planted("open-file", FILE, str(jobs.PRICE_LIST), warm_up=50),
    Planted("file-by-name", FILE, f"{tempfile.gettempdir()}/shop-….csv", warm_up=50),
    Planted("socket", SOCKET, "socket", warm_up=50),
    Planted("pipe", PIPE, "pipe", warm_up=50),  # each is two descriptors
    Planted("environment", ENVIRONMENT, "os.environ['SHOP_TENANT']", raw=True),
    Planted("variables", ENVIRONMENT, "os.environ['…']", raw=True),
    Planted("folder", STATE, "os.getcwd()", raw=True),
    Planted("umask", STATE, "os.umask()", raw=True),
    Planted("locale", STATE, "locale.setlocale()", raw=True),
    Planted("timeout", STATE, "socket.getdefaulttimeout()", raw=True),
    Planted("warnings", STATE, "warnings.filters", raw=True),
    Planted("sys-path", STATE, "sys.path", raw=True),
    Planted("recursion", STATE, "sys.getrecursionlimit()", raw=True),
    Planted("settings", STATE, "settings.SHOP_TENANT", raw=True),
    Planted("in-settings", GLOBAL, "shop.settings.SHOP_HOURS[…]"),
    Planted("exit-handler", EXIT, "atexit.register()"),
    Planted("modules", MODULE, "sys.modules['…']"),
    Planted("gc-callback", COLLECTOR, "gc.callbacks[…]", warm_up=50),
    Planted("finalize", FINALIZER, "weakref.finalize()"),
    Planted("kept-object", KEPT, "multiprocessing.util._finalizer_registry['…']"),
]
