"""Following: lists of studies and jobs, what became of each and why, live, and what may be done about it."""
