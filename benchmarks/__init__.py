"""What a request costs: scripts to run by hand, which assert nothing about time. See README.md."""
