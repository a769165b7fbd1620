"""The command line: one module per command, arguments parsed in one place."""
