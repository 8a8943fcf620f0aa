"""How uv and npm are told to install it, and the program that runs them in a container."""
