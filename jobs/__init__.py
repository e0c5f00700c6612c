"""What a person starts: the command line and one entrypoint for each cluster job."""
