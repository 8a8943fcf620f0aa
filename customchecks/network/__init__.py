"""The bridge that scripts are on, and the packet rules that keep them apart."""
