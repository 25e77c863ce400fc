"""What is switched on, for whom: Flipt's flags, evaluated in this process by Flipt's engine.

- `evaluation`: what a view asks, and `catalogue`: all flags at once
- `decorators`, `mixins`, `routes`: views and URLs that are there only while a flag says so
- `declaration`: flags that a project declares in its code; `uses`: where its code names flags
- `overrides`: what a test wants flags to answer
- `context`: who a request asks for; `visitor`: the id of one who has not logged in
- `resource`: the worker's flag client, made of settings and secrets
- `client`: the latest snapshot of each namespace; `follower`: what follows one, at its `pace`
- `sources`: a features file, or none; `flipt`: Flipt's server, and its `stream`; `known`: the last
  known flags on disk
- `snapshot`: the flags at one time, ready to answer a `subject`; `answer`: with the reason
- `features`, `document`: the two formats, and the engine's; `dialect`: the YAML of the first
- `explanation`: a flag in words, and why somebody got an answer; `standing`: how current the flags
  are, `listing`: which of them are looked for
- `saved`: flags saved in a file, for a later start
- `engine`: Flipt's engine over one document

Below `resource`, nothing knows Django.
"""

from resident.flags.catalogue import flags
from resident.flags.declaration import BooleanFlag, VariantFlag
from resident.flags.decorators import flag_required
from resident.flags.engine import Variant
from resident.flags.evaluation import aflag_enabled, aflag_variant, flag_enabled, flag_variant
from resident.flags.mixins import FlagRequiredMixin
from resident.flags.routes import flagged_path

__all__ = [
    "BooleanFlag",
    "FlagRequiredMixin",
    "Variant",
    "VariantFlag",
    "aflag_enabled",
    "aflag_variant",
    "flag_enabled",
    "flag_required",
    "flag_variant",
    "flagged_path",
    "flags",
]
