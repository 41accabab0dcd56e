"""Public data sets turned into event logs with a campaign file each."""
