"""A web page of its own process: it only reads run directories (``docs/run-directory.md``), and changes nothing.

Needs the extra ``dashboard``; what imports its packages is imported when the dashboard is started.
"""
