class Swimlane:
    def __init__(self, history, down=()):
        self.history=history
    @property
    def text(self):
        return "\n".join(f"{s.began:%H:%M:%S.%f} {s.app_id} {s.kind} {s.name} {s.outcome} {s.seconds}" for s in self.history.steps())
