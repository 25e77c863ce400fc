"""What lives as long as a request, and ends with it.

- `context`: every request in a context of its own, from its first byte to its last
- `resetters`: what is done after each request, in which order
- `database`: open transactions, attributes of connections; `session`, `postgresql`, `sql`: what a
  request did to a session in the database
- `threadlocals`: what packages keep per thread; `search`: where Python keeps that
- `flush`: what the project names in RESIDENT_FLUSH
- `process`: what the whole process shares; `watches`: how a change of that is noticed
- `packages`: recipes for what the others can't reach
- `report`: what was left behind, as a log record, a signal, a count; `request`: by which request
- `snapshot`: what a namespace held, and how it gets back to that
"""
