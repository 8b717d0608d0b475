"""Reads what somebody else wrote or answers: a file, a YAML document, HTTP on this machine."""
