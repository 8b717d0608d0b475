"""A lab: all apps of a deployment, started, asked, and looked at from another kernel."""
