"""What the subcommands share: options, output, exit codes, look-ups."""
