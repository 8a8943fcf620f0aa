"""One check from claim to verdict."""
