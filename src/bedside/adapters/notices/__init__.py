"""Ways to people that need no cloud: a web address, a mail."""
