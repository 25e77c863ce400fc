"""A secret value that shows itself only to those who ask for it by name."""

import hmac
from typing import Any, NoReturn

from resident.secrets.mask import MASK, mask

__all__ = ["MASK", "Secret"]


class Secret:
    """One secret string, masked wherever Python turns an object into text.

    `repr`, `str`, f-strings and `%s` give a mask, `vars` and pickling are refused; only
    `reveal()` gives the value. Two secrets compare in constant time. As long as one is alive, its
    value is blotted out of log records.
    """

    __slots__ = ("_Secret__value", "__weakref__")

    __value: str

    def __init__(self, value: str) -> None:
        object.__setattr__(self, "_Secret__value", value)
        mask.add(self)

    def reveal(self) -> str:
        """The value itself: hand it on at once, and keep it in no variable that lives longer."""
        return self.__value

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__value.encode(), other.__value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret does not change; make a new one")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Secret does not change; make a new one")

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Secret":
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not pickled: it would leave the process unmasked")
