"""A shop that leaks from one request into the next, in every way that is known.

Each leak has its page, `/leak/<slug>`, and a twin that looks alike and is clean, `/clean/<slug>`.
What a report must name stands beside the code: `# defined: <slug>` on the line that defines the
variable, `# put in: <slug>` on the line that puts the value in. `inventory.py` lists them.
"""
