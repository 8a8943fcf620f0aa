"""What a script asks to be installed, read from the files that it brings."""
