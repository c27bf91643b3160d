"""Users and items as the API reads them, and how it follows their changes."""
