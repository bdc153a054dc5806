"""livered as a service of one person's systemd: the unit, and where it is."""
