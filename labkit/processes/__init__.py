"""The processes of a lab: started with a log and an owner, watched, ended; and their ports."""
