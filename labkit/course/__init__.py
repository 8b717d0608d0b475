"""The course and the way of a learner through it: questions, terms, predictions, progress."""
