"""One app of a lab: its sidecar, its service, the client to it, how it starts and how it ends."""
