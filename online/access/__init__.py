"""Who may call the API: keys and their roles, rate limits, pages of other sites."""
