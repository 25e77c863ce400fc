"""Sites that the leak finder looks at: real packages, used as their documentation says.

A site is a settings module. Its URLconf has `prepare()`, which makes the rows that its pages show.
"""
