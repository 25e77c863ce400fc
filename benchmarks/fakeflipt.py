"""FakeFlipt in a process of its own: prints its address, and ends when its standard input does."""

import sys

from resident.testing import FakeFlipt

if __name__ == "__main__":
    with FakeFlipt(token=sys.argv[1]) as flipt:
        print(flipt.url, flush=True)
        sys.stdin.read()
