"""Which release of Flipt is imitated, and in which release each difference came."""

import re
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, order=True, slots=True)
class Version:
    """A release of Flipt, comparable."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `1.61.1`, with or without a leading v and a suffix.

        Raises:
            ValueError: names the text that is no version.
        """
        found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text.strip())
        if found is None:
            raise ValueError(f"{text!r} is no version of Flipt, such as '1.61.1'.")
        return cls(*(int(number) for number in found.groups()))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def forwards_accepted_version(self) -> bool:
        """Whether HTTP clients are heard that send X-Flipt-Accept-Server-Version.

        Older gateways dropped the header, so that their documents hide what older clients don't
        know even from those that do.
        """
        return self >= Version(1, 44, 1)

    @property
    def sends_etag(self) -> bool:
        """Whether the snapshot carries an ETag and honours If-None-Match."""
        return self >= Version(1, 46, 0)

    @property
    def has_default_variants(self) -> bool:
        """Whether a variant flag can have a default variant, and flags have metadata."""
        return self >= Version(1, 47, 0)

    @property
    def scopes_snapshots(self) -> bool:
        """Whether a token of one namespace may read that namespace's snapshot."""
        return self >= Version(1, 50, 0)

    @property
    def keeps_used_segments(self) -> bool:
        """Whether a segment in use can't be deleted, and a namespace deleted by force."""
        return self >= Version(1, 51, 0)

    @property
    def tells_configuration(self) -> bool:
        """Whether /meta/info says how the server is configured."""
        return self >= Version(1, 53, 0)

    @property
    def omits_null(self) -> bool:
        """Whether a message that isn't set is left out, rather than sent as null."""
        return self >= Version(1, 54, 0)

    @property
    def searches_text(self) -> bool:
        """Whether constraints know the operators contains and notcontains."""
        return self >= Version(1, 57, 0)

    @property
    def names_segments_of_rollouts(self) -> bool:
        """Whether a boolean evaluation says which segments matched."""
        return self >= Version(1, 61, 0)

    @property
    def has_environments(self) -> bool:
        """Whether it is Flipt v2: environments, streams, documents with a digest."""
        return self >= Version(2, 0, 0)

    @property
    def hides_names(self) -> bool:
        """Whether documents leave names and descriptions of flags empty."""
        return self >= Version(2, 10, 0)
