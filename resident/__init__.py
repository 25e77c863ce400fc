"""resident keeps a Django project in memory, and keeps every request clean.

- `worker`: what this process opens once, in order, and closes in reverse; `generation`: what of it
  is in use, while it is replaced
- `secrets`: lives as long as the worker: what Vault, or the environment, keeps secret
- `flags`: lives as long as the worker: Flipt's flags, evaluated here
- `isolation`: lives as long as a request
- `leaks`: what crossed from one request into the next: observed, compared, told
- `settings`, `databases`: settings and connections made with secrets; `signals`: what is told
- `transport`: HTTP that is bounded in time and size, for what is outside
- `conf`, `exceptions`: the settings, and what goes wrong
- `handler`: Django's, as a worker needs it; `definitions`: where classes, functions and modules say
  that they are defined

Ways in, which nothing imports: `wsgi`, `apps`, `middleware`, `urls` and `health`, `admin`,
`testing`, `pytest_plugin`, and the management commands with `provisioning`, and with `stage`, on
which requests are rehearsed.
"""

__version__ = "0.1.0"
