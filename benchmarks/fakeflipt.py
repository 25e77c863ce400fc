"""FakeFlipt in a process of its own: prints its address, and ends when its standard input does.

Its arguments: the token that it wants, "" for none, and a features file to begin with.
"""

import sys

from resident.testing import FakeFlipt

if __name__ == "__main__":
    with FakeFlipt(token=sys.argv[1] or None) as flipt:
        for features in sys.argv[2:]:
            flipt.load(features)
        print(flipt.url, flush=True)
        sys.stdin.read()
