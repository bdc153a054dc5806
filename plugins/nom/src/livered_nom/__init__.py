"""livered plugin for NOMAD (SNS BL-1B)."""
