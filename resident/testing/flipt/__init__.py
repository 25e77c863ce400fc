"""Flipt v1 for tests: its HTTP contract, in memory.

`FakeFlipt` speaks what the real server speaks: the snapshot that clients evaluate in-process,
server-side evaluation (by Flipt's own engine), the management API and client tokens, with the
differences between releases, among them those that nobody would choose. It knows no Django, and
loads the engine when it first evaluates.

Where it differs: segments of a rule keep their order in a document, where the real server
shuffles them; only snapshots are compressed for a client that asks; `reference` is accepted and
ignored, as by a Flipt that keeps its flags in a database.

| module | |
| --- | --- |
| `server` | `FakeFlipt` |
| `wire`, `contract`, `reply`, `status` | HTTP, what is served under which path, answers, refusals |
| `store`, `namespaces`, `flags`, `rules`, `rollouts`, `segments` | what is held and managed |
| `document`, `evaluation`, `features`, `tokens` | snapshots, evaluations, imports, tokens |
| `faults`, `journal` | what goes wrong, what was asked |
| `version`, `message` | which release does what, fields of messages |
"""

from resident.testing.flipt.faults import Misbehaviour
from resident.testing.flipt.journal import Request
from resident.testing.flipt.server import FakeFlipt

__all__ = ["FakeFlipt", "Misbehaviour", "Request"]
