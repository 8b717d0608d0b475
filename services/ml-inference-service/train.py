"""Trains the model of this service from tasks.csv: writes model.joblib, its hash and its card.

Run it with this service's own Python: ``.venv/bin/python train.py``.
"""

import csv
import hashlib
import sys
from pathlib import Path

import joblib
import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

HERE = Path(__file__).resolve().parent
SEED = 7
CARD = """\
# Model card: task priority

Written by `train.py`; do not edit.

- **Decides**: whether the title of a task sounds urgent (`high`) or not (`normal`).
- **Kind**: logistic regression over TF-IDF of words and word pairs, scikit-learn {version}.
- **Data**: `tasks.csv`, {rows} titles made up for this course, half of each kind. sha256 `{data}`.
- **Quality**: {right} of {rows} right in 6-fold cross-validation. That is \
good enough to see a decision being made, and not good enough to leave one to it.
- **Not for**: people, other languages than English, or anything where a wrong answer hurts.
- **File**: `model.joblib`, sha256 `{model}`. Loading such a file runs \
code from it, so the service checks the hash first.
"""


def main(folder: Path) -> None:
    """Train, measure, and write the three files to ``folder``."""
    with (HERE / "tasks.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    titles, priorities = [r["title"] for r in rows], [r["priority"] for r in rows]
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        LogisticRegression(C=10, random_state=SEED),
    )
    folds = StratifiedKFold(n_splits=6, shuffle=True, random_state=SEED)
    guesses = cross_val_predict(model, titles, priorities, cv=folds)
    right = sum(guess == known for guess, known in zip(guesses, priorities, strict=True))
    model.fit(titles, priorities)
    joblib.dump(model, folder / "model.joblib")
    told = {
        "version": sklearn.__version__,
        "rows": len(rows),
        "right": right,
        "data": digest(HERE / "tasks.csv"),
        "model": digest(folder / "model.joblib"),
    }
    (folder / "model.sha256").write_text(f"{told['model']}  model.joblib\n", "utf-8")
    (folder / "MODEL.md").write_text(CARD.format(**told), "utf-8")
    print(f"{right} of {len(rows)} right in cross-validation; sha256 {told['model'][:12]}…")


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
