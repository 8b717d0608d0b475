"""The learner's folder ``learn/``: notebooks without outputs, and beside them their files.

The notebooks that are built and tested (``lessons``, ``exercises``, ``solutions``) keep their
outputs. A learner works on copies: nothing that follows a prediction is shown before it was run,
and git sees no change.
"""

from labkit.learn.course import Copy, NoSuchNotebook, copies, find
from labkit.learn.folder import (
    LearnFolderBusy,
    LearnFolderNotWritable,
    NotebookDamaged,
    restore,
    untouched,
    update,
)

__all__ = [
    "Copy",
    "LearnFolderBusy",
    "LearnFolderNotWritable",
    "NoSuchNotebook",
    "NotebookDamaged",
    "copies",
    "find",
    "restore",
    "untouched",
    "update",
]
