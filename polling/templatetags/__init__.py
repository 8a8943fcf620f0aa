"""Tags for the admin's pages."""
