"""What is switched on, for whom: Flipt's flags, evaluated in this process by Flipt's engine.

- `evaluation`: what a view asks
- `resource`: the worker's flag client, made of settings and secrets
- `client`: holds the engine, and replaces it when the flags change
- `sources`: Flipt over HTTP, or a features file
- `features`, `document`: the two formats, and the engine's; `dialect`: the YAML of the first
- `engine`: Flipt's engine over one document

Below `resource`, nothing knows Django.
"""

from resident.flags.engine import Variant
from resident.flags.evaluation import flag_enabled, flag_variant

__all__ = ["Variant", "flag_enabled", "flag_variant"]
