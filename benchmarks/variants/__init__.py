"""The greeting as others would serve it, to be measured beside `project.wsgi:application`.

- `settings`, `urls`, `wsgi`: the project's own, without resident in them
- `bare`: no Vault, no Flipt
- `asking`: Vault is asked once per process, Flipt in every request
- `bootstrapping`: both are asked in every request
- `tutorial`: how the last two ask
- `layers`: views that `inprocess.py` measures on top of one another
"""
