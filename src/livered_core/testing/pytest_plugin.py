"""The pytest plugin of the test kit: fixtures for tests of plugins. pytest loads it where livered is installed."""
