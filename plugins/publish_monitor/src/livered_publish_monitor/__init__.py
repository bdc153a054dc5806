"""livered plugin that posts results to a live data server."""
