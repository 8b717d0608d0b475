"""Who else has an account on this host: their processes share its loopback with our labs."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Iterable

FIRST_PERSON = 501 if sys.platform == "darwin" else 1000
LAST_PERSON = 60_000
NO_LOGIN = ("nologin", "false", "sync", "shutdown", "halt")


def others() -> list[str]:
    """Return the names of other people who can log in, as the list of accounts has them.

    A directory service may keep its people to itself, so an empty list proves nothing.
    """
    return sorted(_people(pwd.getpwall()))


def _people(accounts: Iterable[pwd.struct_passwd]) -> set[str]:
    return {
        account.pw_name
        for account in accounts
        if FIRST_PERSON <= account.pw_uid < LAST_PERSON
        and account.pw_uid != os.geteuid()
        and account.pw_shell.rpartition("/")[2] not in NO_LOGIN
    }
