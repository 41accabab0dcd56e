"""Files that this version or an older one has written, to be read for ever."""
