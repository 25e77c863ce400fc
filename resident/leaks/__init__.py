"""What crossed from one request into the next: observed, compared, told.

- `hunt`: the procedure, which tells what leaks from what warms up
- `look`: one look at a process, from its `roots`; `anatomy`: what an object is made of, `kinds`:
  what there is to know of its class, `places`: where it is held, `scope`: whose state that is
- `comparison`: what grows, what is renewed; `survivors`, `holders`: what outlives its request, and
  who keeps it
- `telling`: what is said of a leak, by its `trail`; `source`: the line that defines it;
  `tracing`, by `fingerprints`: the one that puts the value in; `remedies`: what to do
- `report`, `baseline`: for people, for machines, and what is accepted

With Django: `framework`, what it keeps; `rehearsal`, requests through the whole stack, with
`environ`, `visitor` and `transactions`; `pages`, a project's URLs; `finding`, a hunt on one.

While a project serves: `watch`, `detection`, and `journal` with `listing`.
"""
