"""The study's path: intake, rules, the loop that leases, executes and delivers."""
