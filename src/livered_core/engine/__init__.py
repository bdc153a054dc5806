"""The engine: configuration to objects, the loop, and closing in reverse."""
