"""One module per command; arguments, exit codes and progress live here."""
