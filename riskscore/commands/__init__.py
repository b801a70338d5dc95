"""The programs: command lines in, statuses out. `riskscore` calls them by name, and so do the files of scripts/."""
