"""What the API keeps in memory of users and items, and how it follows their changes."""
