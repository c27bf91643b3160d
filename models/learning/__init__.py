"""One slice of what a home shows: how well versions rank its lists, and then weights that have learned them."""
