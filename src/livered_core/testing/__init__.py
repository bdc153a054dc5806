"""The test kit for plugin authors; nothing at run time imports it."""
