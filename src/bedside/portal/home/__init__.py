"""Where somebody comes in: the page that leads on to what is theirs, and whether the portal works."""
