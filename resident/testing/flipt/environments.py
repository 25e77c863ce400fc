"""The environments of Flipt v2, each with namespaces of its own. Flipt v1 is one environment."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from resident.testing.flipt.document import Documents
from resident.testing.flipt.evaluation import Evaluator
from resident.testing.flipt.message import DEFAULT_ENVIRONMENT, Message, text
from resident.testing.flipt.status import Code, StatusError, not_found
from resident.testing.flipt.store import Store
from resident.testing.flipt.version import Version

_ENVIRONMENT = "x-flipt-environment"


@dataclass(frozen=True)
class Environment:
    """What an environment holds, and what is made of it."""

    store: Store
    documents: Documents
    evaluator: Evaluator


class Environments:
    """Lives as long as its server's contents. The first key is the default environment's.

    Raises:
        ValueError: there is none, or there are several and the version knows no environments.
    """

    def __init__(self, keys: Sequence[str], version: Version) -> None:
        if not keys or (len(keys) > 1 and not version.has_environments):
            raise ValueError(f"Flipt {version} can't have the environments {list(keys)}.")
        self._by_key = {key: _environment(version) for key in keys}
        self._default = keys[0]

    def __iter__(self) -> Iterator[Environment]:
        return iter(self._by_key.values())

    @property
    def default(self) -> Environment:
        """The environment of whoever names none."""
        return self._by_key[self._default]

    def named(self, key: str | None) -> Environment:
        """The environment with that key, the default one where none is given.

        Raises:
            LookupError: there is no such environment.
        """
        try:
            return self._by_key[self._default if key is None else key]
        except KeyError:
            known = ", ".join(self._by_key)
            raise LookupError(f'environment "{key}" not found; there are: {known}.') from None

    def described(self) -> Message:
        """All environments, as the management lists them."""
        return {
            "environments": [
                {"key": key, "name": key, "default": key == self._default} for key in self._by_key
            ]
        }

    def managed(self, message: Message) -> Environment:
        """The environment that the path of a request to the management names, or 404."""
        key = text(message, "environmentKey")
        if key not in self._by_key:
            raise not_found(f'environment: "{key}"')
        return self._by_key[key]

    def asked(self, message: Message, headers: Mapping[str, str]) -> Environment:
        """The environment that a request is about.

        A key in the path or the body that nobody knows is passed over, as Flipt does; one in the
        header is not, except for the name that clients send who were told none.

        Raises:
            StatusError: 404.
        """
        named = self._by_key.get(text(message, "environmentKey"))
        key = headers.get(_ENVIRONMENT) or self._default
        found = named or self._by_key.get(key)
        if found is None and key != DEFAULT_ENVIRONMENT:
            raise StatusError(
                Code.NOT_FOUND,
                f'failed to get environment "{key}" from context: environment: "{key}" not found',
            )
        return found or self.default


def _environment(version: Version) -> Environment:
    store = Store(version)
    return Environment(store, Documents(store), Evaluator(store))
