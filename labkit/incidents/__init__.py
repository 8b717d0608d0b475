"""Incident mode: one or two faults, drawn blind, on a running system under light load.

``incident()`` begins one in a notebook, ``./lab incident`` in a terminal. The faults are those of
the break labs, and of ``authoring/incidents.yaml``. :mod:`labkit.incidents.atlas` lists all of them
by symptom.
"""
