"""``python -m labkit VERB`` is ``./lab VERB`` in the environment of this Python."""

from labkit.cli.__main__ import main

if __name__ == "__main__":
    raise SystemExit(main())
