"""livered plugin that posts results to a live data server; the plugin is in `livered_publish_monitor.plugin`."""
