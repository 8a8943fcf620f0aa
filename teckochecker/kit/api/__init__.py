"""What the parts of the API share, whichever app they are of: views, filters, pages and their description."""
