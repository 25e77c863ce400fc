"""Flipt for tests: its HTTP contract, in memory, as v1 and as v2.

`FakeFlipt` speaks what the real server speaks: the snapshot that clients evaluate in-process,
the stream that v2 has beside it, server-side evaluation (by Flipt's own engine), v1's management
API and client tokens, with the differences between releases, among them those that nobody would
choose. It knows no Django, and loads the engine when it first evaluates.

Where it differs: segments of a rule keep their order in a document, where the real server
shuffles them; only snapshots and streams are compressed for a client that asks; `reference` is
accepted and ignored, as by a Flipt that keeps its flags in a database. What v2 keeps in Git is
managed here by the methods of `FakeFlipt` alone.

| module | |
| --- | --- |
| `server` | `FakeFlipt` |
| `wire`, `contract`, `reply`, `status` | HTTP, which path is which route, answers, refusals |
| `v1`, `v2`, `environments`, `streams` | what each of them serves; what only v2 has |
| `store`, `namespaces`, `flags`, `rules`, `rollouts`, `segments` | what is held and managed |
| `document`, `evaluation`, `features`, `tokens` | snapshots, evaluations, imports, tokens |
| `faults`, `journal` | what goes wrong, what was asked |
| `version`, `message` | which release does what, fields of messages |
"""

from resident.testing.flipt.faults import Misbehaviour
from resident.testing.flipt.journal import Request
from resident.testing.flipt.server import FakeFlipt

__all__ = ["FakeFlipt", "Misbehaviour", "Request"]
