"""Other people of the host are counted, programs with an account are not."""

from __future__ import annotations

import os
import pwd

import pytest

from labkit.host import people

ME = os.geteuid()


def account(name, uid, shell="/bin/bash"):
    return pwd.struct_passwd((name, "x", uid, uid, "", f"/home/{name}", shell))


@pytest.mark.parametrize(
    ("accounts", "found"),
    [
        ([account("root", 0), account("daemon", 2), account("www", 33)], set()),
        ([account("anna", 1500), account("ben", 1501, "/usr/bin/zsh")], {"anna", "ben"}),
        ([account("mail", 1502, "/usr/sbin/nologin"), account("git", 1503, "/bin/false")], set()),
        ([account("nobody", 65534)], set()),
        ([account("me", ME), account("me-again", ME)], set()),
        ([account("no-shell", 1504, "")], {"no-shell"}),
    ],
)
def test_people_are_those_who_can_log_in_and_are_not_us(accounts, found):
    assert people._people(accounts) == found


def test_the_accounts_of_this_host_can_be_read():
    assert all(isinstance(name, str) for name in people.others())
