"""The command line: verbs found by entry point."""
