"""Runs the builder as a program."""

from labkit.build import main

raise SystemExit(main())
